//! Files and prices that people hand to a command.

use crate::failure::Failure;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use veilgrid_market::{Side, parse_price};
use veilgrid_scenario::behaviour::Tariffs;
use veilgrid_scenario::community::{CommunityDay, import_community};

/// The built-in day: SimBench, see `data/community_day/README.md` for source and licence (ODbL 1.0).
const BUILT_IN: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/community_day/community_day.csv"));

/// The name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";
/// How a gzip file begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a file for reading, or standard input for `-`.
///
/// # Errors
/// A file that can't be opened, and one that is compressed: it says so, where a reader of text would only say that it is none.
pub fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    let mut source: Box<dyn Read> = if path.as_os_str() == STANDARD_INPUT {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).map_err(|error| Failure::file(path, error))?)
    };
    let mut start = Vec::new();
    let bound = GZIP.len() as u64;
    source.by_ref().take(bound).read_to_end(&mut start).map_err(|error| Failure::file(path, error))?;
    if start == GZIP {
        return Err(Failure::file(
            path,
            "is compressed (gzip); unpack it first: gunzip --keep FILE, or gunzip -c FILE | … -",
        ));
    }
    Ok(Box::new(Cursor::new(start).chain(source)))
}

/// A community's day from a file, or the built-in one.
///
/// # Errors
/// A file that can't be read, with the line and column of what is wrong in it.
pub fn community(path: Option<&Path>) -> Result<CommunityDay, Failure> {
    match path {
        None => import_community(BUILT_IN.as_bytes()).map_err(Failure::input),
        Some(path) => import_community(open(path)?).map_err(|error| Failure::file(path, error)),
    }
}

/// The values of `--retail` and `--feed-in`, ct/kWh.
///
/// # Errors
/// What is no price, and feed-in above retail.
pub fn tariffs(retail: &str, feed_in: &str) -> Result<Tariffs, Failure> {
    let price = |name: &str, text: &str, side: Side| {
        parse_price(1, side, text).map_err(|_| {
            Failure::Input(format!("--{name} {text}: give a price in ct/kWh, for example 32, 8.5 or -1"))
        })
    };
    let (retail, feed_in) = (price("retail", retail, Side::Buy)?, price("feed-in", feed_in, Side::Sell)?);
    Tariffs::new(retail, feed_in).map_err(Failure::input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_file_is_named_as_such_and_others_are_whole() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("file");
        std::fs::write(&path, [0x1f, 0x8b, 8, 0, 0]).expect("written");
        let error = open(&path).err().expect("refused").to_string();
        assert!(error.contains("gzip"), "{error}");
        for text in ["", "a", "id,side"] {
            std::fs::write(&path, text).expect("written");
            let mut read = String::new();
            open(&path).expect("opened").read_to_string(&mut read).expect("read");
            assert_eq!(read, text);
        }
    }
}
