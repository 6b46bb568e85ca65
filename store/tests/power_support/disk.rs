//! A disk as a power failure may leave it. What was synchronised is there; of everything else anything may be: nothing, all,
//! a part, and writes in torn sectors. A name is there when its folder was synchronised after it got it; a file's own
//! sync is about its content alone.

mod tests;
mod worst;

use super::trace::Act;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone, Default)]
struct Content {
    /// As every process sees it.
    seen: Vec<u8>,
    /// As it is certain to be after a power failure.
    safe: Vec<u8>,
    /// In between.
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Node {
    File(Content),
    Directory { seen: BTreeMap<String, usize>, safe: BTreeMap<String, usize> },
}

/// A change of names that happens as a whole or not at all.
#[derive(Debug, Clone)]
struct Naming(Vec<(usize, String, Option<usize>)>);

#[derive(Debug, Clone, Copy)]
struct Open {
    node: usize,
    position: usize,
    append: bool,
}

/// What is under a folder. Everything that was there at first is safe.
#[derive(Clone)]
pub struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
    naming: Vec<Naming>,
    /// Open files; several descriptors may be one.
    open: Vec<Open>,
    descriptors: BTreeMap<i32, usize>,
    /// Syncs under way: the file, and how much of what is pending they are about.
    syncs: BTreeMap<usize, (usize, usize)>,
    /// The same of those that are about everything: of each file, and of the names.
    all_syncs: BTreeMap<usize, (Vec<usize>, usize)>,
}

const ROOT: usize = 0;

fn directory() -> Node {
    Node::Directory { seen: BTreeMap::new(), safe: BTreeMap::new() }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length, 0),
        Change::Write { at, bytes: new } => {
            let end = at + new.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(new);
        }
    }
}

impl Disk {
    /// The disk as it is under a folder.
    pub fn load(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            nodes: vec![directory()],
            naming: vec![],
            open: vec![],
            descriptors: BTreeMap::new(),
            syncs: BTreeMap::new(),
            all_syncs: BTreeMap::new(),
        };
        disk.load_below(root, ROOT);
        disk
    }

    fn load_below(&mut self, path: &Path, parent: usize) {
        for entry in fs::read_dir(path).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("a name");
            let node = self.nodes.len();
            if entry.file_type().expect("a type").is_dir() {
                self.nodes.push(directory());
                self.load_below(&entry.path(), node);
            } else {
                let seen = fs::read(entry.path()).expect("read");
                self.nodes.push(Node::File(Content { safe: seen.clone(), seen, pending: vec![] }));
            }
            let Node::Directory { seen, safe } = &mut self.nodes[parent] else { panic!("a folder") };
            seen.insert(name.clone(), node);
            safe.insert(name, node);
        }
    }

    /// The names from the root to a path; none outside of it.
    fn names(&self, path: &Path) -> Option<Vec<String>> {
        let inside = path.strip_prefix(&self.root).ok()?;
        inside
            .iter()
            .map(|name| Some(name.to_str()?.to_owned()))
            .filter(|name| name.as_deref() != Some("."))
            .collect()
    }

    fn find(&self, path: &Path) -> Option<usize> {
        self.names(path)?.iter().try_fold(ROOT, |node, name| match &self.nodes[node] {
            Node::Directory { seen, .. } => seen.get(name).copied(),
            Node::File(_) => None,
        })
    }

    /// The folder of a path, and its name there.
    fn place(&self, path: &Path) -> Option<(usize, String)> {
        let name = self.names(path)?.pop()?;
        Some((self.find(path.parent()?)?, name))
    }

    fn rename(&mut self, changes: Vec<(usize, String, Option<usize>)>) {
        for (folder, name, node) in &changes {
            let Node::Directory { seen, .. } = &mut self.nodes[*folder] else { panic!("a folder") };
            match node {
                Some(node) => seen.insert(name.clone(), *node),
                None => seen.remove(name),
            };
        }
        self.naming.push(Naming(changes));
    }

    fn put(&mut self, path: &Path, node: Node) -> Option<usize> {
        let (folder, name) = self.place(path)?;
        self.nodes.push(node);
        let node = self.nodes.len() - 1;
        self.rename(vec![(folder, name, Some(node))]);
        Some(node)
    }

    fn change(&mut self, node: usize, change: Change) {
        let Node::File(content) = &mut self.nodes[node] else { panic!("a file") };
        apply(&mut content.seen, &change);
        content.pending.push(change);
    }

    fn length(&self, node: usize) -> usize {
        match &self.nodes[node] {
            Node::File(content) => content.seen.len(),
            Node::Directory { .. } => 0,
        }
    }

    fn opened(&mut self, fd: i32) -> Option<&mut Open> {
        self.descriptors.get(&fd).map(|index| &mut self.open[*index])
    }

    fn write(&mut self, fd: i32, at: Option<usize>, bytes: Vec<u8>) {
        let Some(open) = self.opened(fd).copied() else { return };
        let end = if open.append { self.length(open.node) } else { open.position };
        let at = at.unwrap_or(end);
        let behind = at + bytes.len();
        if at == end
            && let Some(open) = self.opened(fd)
        {
            open.position = behind;
        }
        self.change(open.node, Change::Write { at, bytes });
    }

    /// Does what a process did.
    pub fn act(&mut self, act: &Act) {
        let size = |bytes: u64| usize::try_from(bytes).expect("a file that fits memory");
        match act {
            Act::Started => {
                self.descriptors.clear();
                self.syncs.clear();
                self.all_syncs.clear();
            }
            Act::Open { fd, path, create, truncate, append } => {
                self.descriptors.remove(fd);
                let found = self.find(path);
                let node = match found {
                    None if *create => self.put(path, Node::File(Content::default())),
                    found => found,
                };
                let Some(node) = node else { return };
                if *truncate && self.length(node) > 0 {
                    self.change(node, Change::Length(0));
                }
                self.open.push(Open { node, position: 0, append: *append });
                self.descriptors.insert(*fd, self.open.len() - 1);
            }
            Act::Close { fd } => drop(self.descriptors.remove(fd)),
            Act::Duplicate { fd, to } => {
                if let Some(index) = self.descriptors.get(fd).copied() {
                    self.descriptors.insert(*to, index);
                }
            }
            Act::Seek { fd, to } => {
                if let Some(open) = self.opened(*fd) {
                    open.position = size(*to);
                }
            }
            Act::Write { fd, at, bytes } => self.write(*fd, at.map(size), bytes.clone()),
            Act::Copy { from, from_at, to, bytes } => {
                let Some(open) = self.opened(*from).copied() else { return };
                let at = from_at.map_or(open.position, size);
                let Node::File(content) = &self.nodes[open.node] else { return };
                let copied = content.seen[at..at + size(*bytes)].to_vec();
                if let Some(open) = self.opened(*from) {
                    open.position = at + copied.len();
                }
                self.write(*to, None, copied);
            }
            Act::Length { fd, bytes } => {
                if let Some(node) = self.opened(*fd).map(|open| open.node) {
                    self.change(node, Change::Length(size(*bytes)));
                }
            }
            Act::Reserve { fd, bytes } => {
                if let Some(node) = self.opened(*fd).map(|open| open.node)
                    && self.length(node) < size(*bytes)
                {
                    self.change(node, Change::Length(size(*bytes)));
                }
            }
            Act::Rename { from, to } => self.moved(from, to),
            Act::Link { from, to } => {
                if let (Some(node), Some((folder, name))) = (self.find(from), self.place(to)) {
                    self.rename(vec![(folder, name, Some(node))]);
                }
            }
            Act::Remove { path } => {
                if let (Some(_), Some((folder, name))) = (self.find(path), self.place(path)) {
                    self.rename(vec![(folder, name, None)]);
                }
            }
            Act::Directory { path } => drop(self.put(path, directory())),
            Act::SyncBegins { call, path } => {
                if let Some(node) = self.find(path) {
                    let pending = match &self.nodes[node] {
                        Node::File(content) => content.pending.len(),
                        Node::Directory { .. } => self.naming.len(),
                    };
                    self.syncs.insert(*call, (node, pending));
                }
            }
            Act::AllSyncBegins { call } => {
                let pending = |node: &Node| match node {
                    Node::File(content) => content.pending.len(),
                    Node::Directory { .. } => 0,
                };
                let of_files = self.nodes.iter().map(pending).collect();
                self.all_syncs.insert(*call, (of_files, self.naming.len()));
            }
            Act::SyncEnds { call } => {
                if let Some((of_files, of_names)) = self.all_syncs.remove(call) {
                    self.sync_all(&of_files, of_names);
                }
                if let Some((node, pending)) = self.syncs.remove(call) {
                    self.sync(node, pending);
                }
            }
            Act::Sent { .. } => {}
        }
    }

    fn moved(&mut self, from: &Path, to: &Path) {
        let Some((old_folder, old_name)) = self.place(from) else { return };
        let (Some(node), Some((folder, name))) = (self.find(from), self.place(to)) else { return };
        self.rename(vec![(old_folder, old_name, None), (folder, name, Some(node))]);
    }

    fn sync(&mut self, node: usize, pending: usize) {
        match &mut self.nodes[node] {
            Node::File(content) => {
                // Another sync may have taken some of them meanwhile.
                let done = pending.min(content.pending.len());
                for change in content.pending.drain(..done) {
                    apply(&mut content.safe, &change);
                }
            }
            Node::Directory { .. } => {
                let (done, kept) = self.concerning(node, pending);
                self.naming = kept;
                done.iter().for_each(|naming| self.settle(naming));
            }
        }
    }

    fn sync_all(&mut self, of_files: &[usize], of_names: usize) {
        for (node, pending) in of_files.iter().enumerate() {
            if matches!(self.nodes[node], Node::File(_)) {
                self.sync(node, *pending);
            }
        }
        let done: Vec<Naming> = self.naming.drain(..of_names.min(self.naming.len())).collect();
        done.iter().for_each(|naming| self.settle(naming));
    }

    /// The changes of names that a folder's sync makes safe: its own, and those that they build on.
    fn concerning(&self, folder: usize, pending: usize) -> (Vec<Naming>, Vec<Naming>) {
        let (mut folders, mut done, mut kept) = (BTreeSet::from([folder]), vec![], vec![]);
        for (index, naming) in self.naming.iter().enumerate().rev() {
            if index < pending && naming.0.iter().any(|(folder, ..)| folders.contains(folder)) {
                folders.extend(naming.0.iter().map(|(folder, ..)| *folder));
                done.push(naming.clone());
            } else {
                kept.push(naming.clone());
            }
        }
        done.reverse();
        kept.reverse();
        (done, kept)
    }

    fn settle(&mut self, naming: &Naming) {
        for (folder, name, node) in &naming.0 {
            let Node::Directory { safe, .. } = &mut self.nodes[*folder] else { panic!("a folder") };
            match node {
                Some(node) => safe.insert(name.clone(), *node),
                None => safe.remove(name),
            };
        }
    }

    /// Content of all files as processes see them.
    pub fn seen(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        self.collect(ROOT, PathBuf::new(), &mut files);
        files
    }

    fn collect(&self, node: usize, path: PathBuf, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        match &self.nodes[node] {
            Node::File(content) => drop(files.insert(path, content.seen.clone())),
            Node::Directory { seen, .. } => {
                seen.iter().for_each(|(name, node)| self.collect(*node, path.join(name), files));
            }
        }
    }
}
