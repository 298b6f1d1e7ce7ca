//! The changes from one snapshot of a tree to the next, as reports.
//!
//! Nodes have no identity. A node below the same parent and with the same name as one before is taken to be the same.
//! The root is the task itself. A node with a count or with nodes below it is a part, and stays one. A node with
//! neither is what its parent is doing, another one every few milliseconds: its message. Nothing tells of success: a
//! part that is gone was done with.

use std::collections::VecDeque;

use crate::protocol::{Progress, Status};

use super::super::Each;
use super::FORMAT;

/// A node of a snapshot.
pub(super) struct Record<'a> {
    pub(super) name: &'a str,
    pub(super) count: Count,
    pub(super) above: Above,
}

/// How many things are done below a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) done: u32,
    /// 0 is unknown.
    pub(super) total: u32,
}

/// The place of a node in the tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Above {
    Nobody,
    /// There is no node here.
    Unused,
    /// The node of this index, which may be higher than the node's own.
    Node(usize),
}

/// The last snapshot.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Parents first. The first one is the root.
    nodes: Vec<Node>,
    /// How many ids were given out.
    ids: u64,
}

#[derive(Debug)]
struct Node {
    id: u64,
    /// The parent's id; 0 for the root.
    parent: u64,
    name: String,
    is_part: bool,
    /// The last report about it; none if there was none.
    told: Option<(Count, String)>,
}

impl Node {
    fn part(&self) -> String {
        format!("zig-{}", self.id)
    }
}

impl Tree {
    /// Takes in the next snapshot.
    pub(super) fn update(&mut self, records: &[Record<'_>], each: Each<'_>) {
        let order = parents_first(records);
        let mut gone = std::mem::take(&mut self.nodes);
        for (index, above) in &order {
            let record = &records[*index];
            let parent = above.map_or(0, |above| self.nodes[above].id);
            // The root stays the root, whatever its name is now.
            let is_same =
                |node: &Node| node.parent == parent && (parent == 0 || node.name == record.name);
            let known = gone.iter().position(is_same);
            let mut node = match known {
                Some(known) => gone.remove(known),
                None => self.begin(parent, record.name),
            };
            let has_nodes = || {
                records
                    .iter()
                    .any(|below| below.above == Above::Node(*index))
            };
            node.is_part = node.is_part || record.count != Count::default() || has_nodes();
            self.nodes.push(node);
        }
        for node in gone
            .iter()
            .rev()
            .filter(|node| node.is_part && node.parent != 0)
        {
            let end = Progress {
                id: Some(node.part().into()),
                status: Some(Status::Ok),
                ..Progress::default()
            };
            each(FORMAT.name, &end);
        }
        for (place, (index, above)) in order.iter().enumerate() {
            let is_root = place == 0;
            if !(is_root || self.nodes[place].is_part) {
                continue;
            }
            let below = order.iter().zip(&self.nodes).rev();
            let busy = below
                .filter(|((_, above), node)| *above == Some(place) && !node.is_part)
                .map(|(_, node)| node.name.as_str());
            let own = if is_root { records[*index].name } else { "" };
            let doing = busy.chain([own]).next().unwrap_or_default().to_owned();
            let parent = above.filter(|above| *above > 0);
            let parent = parent.map(|above| self.nodes[above].part());
            self.nodes[place].tell(is_root, parent, records[*index].count, doing, each);
        }
    }

    fn begin(&mut self, parent: u64, name: &str) -> Node {
        self.ids += 1;
        Node {
            id: self.ids,
            parent,
            name: name.to_owned(),
            is_part: false,
            told: None,
        }
    }
}

impl Node {
    /// Reports what is new of it.
    fn tell(
        &mut self,
        is_root: bool,
        parent: Option<String>,
        count: Count,
        doing: String,
        each: Each<'_>,
    ) {
        let (told_count, told_doing) = match &self.told {
            Some((count, doing)) => (*count, doing.as_str()),
            None => (Count::default(), ""),
        };
        let is_new = self.told.is_none();
        if !is_new && told_count == count && told_doing == doing {
            return;
        }
        let report = Progress {
            progress: Some(count.done.into()).filter(|_| count != told_count),
            total: Some(count.total.into()).filter(|total| *total > 0.0),
            message: (told_doing != doing).then(|| doing.as_str().into()),
            id: (!is_root).then(|| self.part().into()),
            parent: parent.map(Into::into),
            title: (is_new && !is_root).then(|| self.name.as_str().into()),
            ..Progress::default()
        };
        if !report.is_empty() {
            each(FORMAT.name, &report);
        }
        self.told = Some((count, doing));
    }
}

/// The indices of the nodes, each with the place of its parent in this list. Nodes that are their own ancestors are in
/// no tree, and not listed; a node whose parent does not exist is taken to be below the root.
fn parents_first(records: &[Record<'_>]) -> Vec<(usize, Option<usize>)> {
    let mut order = Vec::with_capacity(records.len());
    let mut queue = VecDeque::new();
    if !records.is_empty() {
        queue.push_back((0, None));
    }
    while let Some((index, above)) = queue.pop_front() {
        let place = order.len();
        order.push((index, above));
        let is_below = |below: usize| match records[below].above {
            Above::Nobody => place == 0 && below != 0,
            Above::Node(above) => above == index,
            Above::Unused => false,
        };
        let below = (0..records.len()).filter(|below| is_below(*below));
        queue.extend(below.map(|below| (below, Some(place))));
    }
    order
}
