//! Writes a disk into a folder: as processes see it, or as bad as a power failure may leave it.

use super::super::dice::Dice;
use super::{Change, Content, Disk, Node, ROOT, apply};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

impl Disk {
    /// Writes the disk as a kill of the process leaves it.
    pub fn write_seen(&self, to: &Path) {
        fs::create_dir_all(to).expect("made");
        self.write_below(
            ROOT,
            to,
            &|node| match node {
                Node::Directory { seen, .. } => seen.clone(),
                Node::File(_) => BTreeMap::new(),
            },
            &mut |content| content.seen.clone(),
        );
    }

    /// Writes a disk as a power failure may leave it now.
    pub fn write_worst(&self, dice: &mut Dice, to: &Path) {
        let mut left = self.clone();
        let names = choose(dice, left.naming.len());
        for (naming, _) in
            std::mem::take(&mut left.naming).iter().zip(names).filter(|(_, is_there)| *is_there)
        {
            left.settle(naming);
        }
        fs::create_dir_all(to).expect("made");
        left.write_below(
            ROOT,
            to,
            &|node| match node {
                Node::Directory { safe, .. } => safe.clone(),
                Node::File(_) => BTreeMap::new(),
            },
            &mut |content| worst(content, dice),
        );
    }

    fn write_below(
        &self,
        folder: usize,
        to: &Path,
        names: &dyn Fn(&Node) -> BTreeMap<String, usize>,
        content: &mut dyn FnMut(&Content) -> Vec<u8>,
    ) {
        for (name, node) in names(&self.nodes[folder]) {
            let path = to.join(name);
            match &self.nodes[node] {
                Node::File(file) => write_private(&path, &content(file)),
                Node::Directory { .. } => {
                    fs::create_dir(&path).expect("made");
                    self.write_below(node, &path, names, content);
                }
            }
        }
    }
}

/// Key files are refused when others may read them.
fn write_private(path: &Path, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).expect("written");
}

/// Which of so many changes came to the disk: none, all, the first ones, the last ones, the very last one, or any.
fn choose(dice: &mut Dice, count: usize) -> Vec<bool> {
    let first = dice.below(count + 1);
    match dice.below(6) {
        0 => vec![false; count],
        1 => vec![true; count],
        2 => (0..count).map(|index| index < first).collect(),
        3 => (0..count).map(|index| index >= first).collect(),
        4 => (0..count).map(|index| index + 1 == count).collect(),
        _ => (0..count).map(|_| dice.coin()).collect(),
    }
}

fn worst(content: &Content, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = content.safe.clone();
    let sector = if dice.coin() { 512 } else { 4096 };
    let tear = dice.coin();
    for (change, is_there) in content.pending.iter().zip(choose(dice, content.pending.len())) {
        match change {
            Change::Write { at, bytes: new } if is_there && tear => {
                let mut from = 0;
                while from < new.len() {
                    // Sectors of the disk, not of the write.
                    let until = ((at + from) / sector + 1) * sector - at;
                    let until = until.min(new.len());
                    if dice.coin() {
                        let part = Change::Write { at: at + from, bytes: new[from..until].to_vec() };
                        apply(&mut bytes, &part);
                    }
                    from = until;
                }
            }
            change if is_there => apply(&mut bytes, change),
            _ => {}
        }
    }
    bytes
}
