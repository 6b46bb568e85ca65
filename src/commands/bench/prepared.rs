//! Bids that were proved once and are kept in a file: proving takes longer than anything that is measured with them.
//!
//! Format: "VGBENCH1", ticks u32, bits u32, count u32, then for each bid its quantities (u32 each) and its bytes.

use super::BenchSize;
use super::world::{KnownBid, World};
use crate::failure::Failure;
use crate::{input, output};
use std::fs::File;
use std::io::{BufWriter, Read as _, Write};
use std::path::Path;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

const MAGIC: &[u8; 8] = b"VGBENCH1";

/// Proves the distinct bids of a size and writes them to a new file.
///
/// # Errors
/// The file exists or can't be written.
pub fn prepare(path: &Path, size: &BenchSize) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::file(path, "exists already; name a new file, nothing is overwritten"));
    }
    let world = World::new(size)?;
    let bids = world.prove(super::distinct(size), size.json)?;
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create_new(path)?);
        let mut head = Writer::new();
        head.bytes(MAGIC).u32(size.ticks).u32(size.bits).length(bids.len());
        out.write_all(&head.finish())?;
        for known in &bids {
            let mut w = Writer::new();
            for quantity_wh in &known.quantities_wh {
                w.u32(u32::try_from(*quantity_wh).map_err(std::io::Error::other)?);
            }
            w.bytes(&known.bid.to_bytes());
            out.write_all(&w.finish())?;
        }
        out.into_inner().map_err(std::io::Error::other)?.sync_all()
    };
    write().map_err(|error| Failure::file(path, error))?;
    output::line(format!(
        "{} bids for {} ticks, {} bits in {}",
        bids.len(),
        size.ticks,
        size.bits,
        path.display()
    ));
    Ok(())
}

/// The distinct bids of a run: from the file that `--from` names, else proved now.
///
/// # Errors
/// A file for another size, or one that is damaged.
pub fn bids(world: &World, size: &BenchSize) -> Result<Vec<KnownBid>, Failure> {
    let Some(path) = &size.from else { return world.prove(super::distinct(size), size.json) };
    let mut bytes = Vec::new();
    input::open(path)?.read_to_end(&mut bytes).map_err(|error| Failure::file(path, error))?;
    let bids = parse(&bytes, world, size).map_err(|error| Failure::file(path, error))?;
    if bids.is_empty() {
        return Err(Failure::file(path, "holds no bids"));
    }
    Ok(bids)
}

fn parse(bytes: &[u8], world: &World, size: &BenchSize) -> Result<Vec<KnownBid>, WireError> {
    let wrong = |why| WireError::Invalid { field: "prepared bids", why };
    let mut r = Reader::new(bytes);
    if r.array::<8>("magic")? != *MAGIC {
        return Err(wrong("this is no file of prepared bids"));
    }
    if (r.u32("ticks")?, r.u32("bits")?) != (size.ticks, size.bits) {
        return Err(wrong("they are for other --ticks or --bits"));
    }
    let shape = world.params.shape();
    let count = r.length("bids", usize::MAX, shape.bid_bytes() + 4 * shape.steps)?;
    let mut bids = Vec::with_capacity(count);
    for _ in 0..count {
        let quantities_wh =
            (0..shape.steps).map(|_| r.u32("quantity").map(u64::from)).collect::<Result<_, _>>()?;
        bids.push(KnownBid { quantities_wh, bid: SealedBid::read(&mut r, shape)? });
    }
    r.finish()?;
    Ok(bids)
}
