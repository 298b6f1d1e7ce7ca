//! The Zig Progress Protocol: binary packets on the descriptor of `ZIG_PROGRESS`, each a snapshot of a whole tree.
//!
//! A packet is a count of nodes, a record for each, and the index of each one's parent. Neither its begin nor its
//! version is marked: names have had 40 bytes and have 120. So a layout is right if the packet makes sense in it and in
//! no other; after a packet that makes none, the next one that does is searched. Does not know what a tree means.

mod tree;

use super::{Each, Format};
use tree::{Above, Count, Record, Tree};

/// The entry of `--list-formats`.
pub(super) const FORMAT: Format = Format {
    name: "zig",
    about: "the tree of tasks of zig 0.13 or later, on the descriptor of ZIG_PROGRESS",
    switch: "",
};

/// In place of a parent: the node has none.
const ROOT: u8 = 255;
/// In place of a parent: there is no node here.
const UNUSED: u8 = 254;
/// In place of a total: the node is another process, and its count is none.
const PROCESS: u32 = u32::MAX;

/// The layout of a packet.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    /// The name of a node.
    name: usize,
    /// The most nodes that a packet has.
    nodes: usize,
}

/// zig 0.15 and earlier.
const SHORT: &Layout = &Layout {
    name: 40,
    nodes: 83,
};
/// zig 0.16 and later.
const LONG: &Layout = &Layout {
    name: 120,
    nodes: 127,
};

impl Layout {
    fn record(&self) -> usize {
        8 + self.name
    }

    /// The length of a packet of this many nodes.
    fn length(&self, nodes: usize) -> usize {
        1 + nodes * (self.record() + 1)
    }

    /// The packet at the beginning of the bytes, if it is complete and makes sense.
    fn read<'a>(&self, bytes: &'a [u8]) -> Option<Vec<Record<'a>>> {
        let nodes = usize::from(*bytes.first()?);
        let packet = bytes.get(1..self.length(nodes))?;
        let (records, parents) = packet.split_at(nodes * self.record());
        let is_tree = nodes <= self.nodes && *parents.first().unwrap_or(&ROOT) == ROOT;
        if !is_tree {
            return None;
        }
        let records = records.chunks_exact(self.record()).zip(parents);
        records
            .map(|(record, parent)| {
                Some(Record {
                    name: name(&record[8..])?,
                    count: count(record)?,
                    above: match *parent {
                        ROOT => Above::Nobody,
                        UNUSED => Above::Unused,
                        index if usize::from(index) < nodes => Above::Node(index.into()),
                        _ => return None,
                    },
                })
            })
            .collect()
    }
}

/// The numbers that a record begins with.
fn count(record: &[u8]) -> Option<Count> {
    let (done, rest) = record.split_first_chunk()?;
    let done = u32::from_le_bytes(*done);
    let total = u32::from_le_bytes(*rest.first_chunk()?);
    Some(if total == PROCESS {
        Count::default()
    } else {
        Count { done, total }
    })
}

/// The text before the first NUL; behind it is what an earlier name left there. A long name may end within a character.
fn name(bytes: &[u8]) -> Option<&str> {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains(char::is_control)).then_some(text)
}

/// Reads the packets of one descriptor.
#[derive(Debug, Default)]
pub(super) struct Zig {
    /// The beginning of a packet.
    held: Vec<u8>,
    /// The layout of the packets; none while it is not known where they begin.
    layout: Option<&'static Layout>,
    tree: Tree,
}

impl Zig {
    /// Takes in the next bytes of the descriptor.
    pub(super) fn feed(&mut self, bytes: &[u8], each: Each<'_>) {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while let Some(length) = self.next(rest, each) {
            rest = &rest[length..];
        }
        let done = held.len() - rest.len();
        self.held = held;
        self.held.drain(..done);
    }

    /// Takes in the next packet, and gives its length; none if more bytes are needed.
    fn next(&mut self, bytes: &[u8], each: Each<'_>) -> Option<usize> {
        let nodes = usize::from(*bytes.first()?);
        if let Some(layout) = self.layout.filter(|layout| nodes <= layout.nodes) {
            let length = layout.length(nodes);
            if bytes.len() < length {
                return None;
            }
            match layout.read(bytes) {
                Some(records) => self.tree.update(&records, each),
                // A writer that was interrupted fills its packet with bytes of no meaning: the next packet may still
                // begin in them.
                None => self.layout = None,
            }
            return Some(length);
        }
        if let Some((begin, layout)) = first_packet(bytes) {
            self.layout = Some(layout);
            return Some(begin);
        }
        self.layout = None;
        let longest = LONG.length(LONG.nodes);
        let excess = (bytes.len() + 1).saturating_sub(longest);
        (excess > 0).then_some(excess)
    }
}

/// The begin and the layout of the packet that is complete first. That may not be the one that begins first: bytes that
/// are no packet may promise to be a very long one.
///
/// Stricter than the reading: a packet without nodes is a NUL, as most bytes are; and what looks like a packet of one
/// layout in the middle of the other has nodes without names.
fn first_packet(bytes: &[u8]) -> Option<(usize, &'static Layout)> {
    let mut found = None;
    let mut first_end = bytes.len() + 1;
    for (begin, nodes) in bytes.iter().enumerate().filter(|(_, nodes)| **nodes > 0) {
        if begin >= first_end {
            break;
        }
        for layout in [SHORT, LONG] {
            let end = begin + layout.length(usize::from(*nodes));
            if end < first_end
                && let Some(records) = layout.read(&bytes[begin..])
                && records[1..].iter().all(|node| !node.name.is_empty())
            {
                found = Some((begin, layout));
                first_end = end;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::FileFailurePersistence;

    use super::*;

    const SHORT_STREAM: &[u8] = include_bytes!("../../tests/corpus/zig/build_exe_v0.15.fd3");
    const LONG_STREAM: &[u8] = include_bytes!("../../tests/corpus/zig/build_exe_v0.17.fd3");
    const OLD_STREAM: &[u8] = include_bytes!("../../tests/corpus/zig/build_exe_v0.13.fd3");

    /// A packet of nodes: what is done, of how many, the name, the parent.
    fn packet(layout: &Layout, nodes: &[(u32, u32, &str, u8)]) -> Vec<u8> {
        let mut packet = vec![u8::try_from(nodes.len()).unwrap()];
        for (done, total, name, _) in nodes {
            packet.extend_from_slice(&done.to_le_bytes());
            packet.extend_from_slice(&total.to_le_bytes());
            let end = packet.len() + layout.name;
            packet.extend_from_slice(name.as_bytes());
            packet.resize(end, 0);
        }
        packet.extend(nodes.iter().map(|(_, _, _, parent)| parent));
        packet
    }

    fn said_of(pieces: &[&[u8]]) -> Vec<String> {
        let mut zig = Zig::default();
        let mut said = Vec::new();
        for piece in pieces {
            zig.feed(piece, &mut |_, report| said.push(report.to_json()));
            assert!(zig.held.len() < LONG.length(LONG.nodes));
        }
        said
    }

    #[test]
    fn a_tree_is_the_task_and_its_parts_and_what_has_no_count_is_what_goes_on() {
        let first = [
            (0, 0, "", ROOT),
            (1, 3, "Linking", 0),
            (39, 0, "AST Lowering", 0),
            (0, 0, "std.zig", 2),
        ];
        let second = [
            (1, 0, "", ROOT),
            (40, 0, "AST Lowering", 0),
            (0, 0, "c.zig", 1),
            (0, 0, "compiler_rt", 0),
            (0, 0, "debug.zig", 3),
        ];
        let third = [(1, 0, "", ROOT), (0, 0, "LLD Link", 0)];
        for layout in [SHORT, LONG] {
            let stream = [&first[..], &second, &third].map(|nodes| packet(layout, nodes));
            assert_eq!(
                said_of(&[&stream.concat()]),
                [
                    r#"{"progress":1,"total":3,"id":"zig-2","title":"Linking"}"#,
                    r#"{"progress":39,"message":"std.zig","id":"zig-3","title":"AST Lowering"}"#,
                    r#"{"id":"zig-2","status":"ok"}"#,
                    r#"{"progress":1}"#,
                    r#"{"progress":40,"message":"c.zig","id":"zig-3"}"#,
                    r#"{"message":"debug.zig","id":"zig-5","title":"compiler_rt"}"#,
                    r#"{"id":"zig-5","status":"ok"}"#,
                    r#"{"id":"zig-3","status":"ok"}"#,
                    r#"{"message":"LLD Link"}"#,
                ]
            );
        }
    }

    #[test]
    fn a_parent_may_stand_behind_its_child_and_the_count_of_a_process_is_none() {
        let nodes = [
            (7, PROCESS, "build", ROOT),
            (2, 4, "b", 2),
            (1, 2, "a", 0),
            (9, 9, "unused", UNUSED),
            (5, 0, "in circles", 5),
            (5, 0, "in circles too", 4),
            (1, 0, "alone", ROOT),
        ];
        assert_eq!(
            said_of(&[&packet(LONG, &nodes)]),
            [
                r#"{"message":"build"}"#,
                r#"{"progress":1,"total":2,"id":"zig-2","title":"a"}"#,
                r#"{"progress":1,"id":"zig-3","title":"alone"}"#,
                r#"{"progress":2,"total":4,"id":"zig-4","parent":"zig-2","title":"b"}"#,
            ]
        );
    }

    #[test]
    fn a_part_stays_one_when_nothing_is_below_it_for_a_while() {
        let with = [(0, 0, "", ROOT), (0, 0, "rt", 0), (0, 0, "a.zig", 1)];
        let stream = [&with[..], &with[..2], &with].map(|nodes| packet(SHORT, nodes));
        assert_eq!(
            said_of(&[&stream.concat()]),
            [
                r#"{"message":"a.zig","id":"zig-2","title":"rt"}"#,
                r#"{"message":"","id":"zig-2"}"#,
                r#"{"message":"a.zig","id":"zig-2"}"#,
            ]
        );
    }

    #[test]
    fn a_count_in_a_long_record_is_not_taken_for_the_parents_of_short_ones() {
        let mut nodes = [(1, 0, "node", 0); 8];
        nodes[0] = (0, 0, "", ROOT);
        nodes[3] = (ROOT.into(), 0, "node", 0);
        let packet = packet(LONG, &nodes);
        assert!(SHORT.read(&packet).is_some());
        let said = said_of(&[&packet]);
        assert_eq!(said.len(), 7);
        assert_eq!(said[2], r#"{"progress":255,"id":"zig-4","title":"node"}"#);
    }

    #[test]
    fn a_packet_without_nodes_ends_what_was_there() {
        let nodes = [(0, 0, "", ROOT), (1, 0, "a", 0), (1, 0, "b", 1)];
        let stream = [packet(SHORT, &nodes), packet(SHORT, &[])].concat();
        assert_eq!(
            said_of(&[&stream])[2..],
            [
                r#"{"id":"zig-3","status":"ok"}"#,
                r#"{"id":"zig-2","status":"ok"}"#
            ]
        );
    }

    #[test]
    fn a_packet_that_was_filled_up_with_anything_is_passed_over() {
        let nodes = |done| [(done, 9, "", ROOT), (done, 0, "a", 0)];
        for layout in [SHORT, LONG] {
            let mut bad = packet(layout, &nodes(2));
            bad[30..].fill(ROOT);
            let stream = [
                packet(layout, &nodes(1)),
                bad,
                packet(layout, &nodes(3)),
                packet(layout, &nodes(4)),
            ];
            assert_eq!(
                said_of(&[&stream.concat()]),
                [
                    r#"{"progress":1,"total":9}"#,
                    r#"{"progress":1,"id":"zig-2","title":"a"}"#,
                    r#"{"progress":3,"total":9}"#,
                    r#"{"progress":3,"id":"zig-2"}"#,
                    r#"{"progress":4,"total":9}"#,
                    r#"{"progress":4,"id":"zig-2"}"#,
                ]
            );
        }
    }

    #[test]
    fn packets_that_were_torn_and_another_zig_are_found_again() {
        let nodes = |done| [(done, 9, "root", ROOT), (done, 0, "a", 0)];
        let (torn, whole) = (packet(LONG, &nodes(1)), packet(LONG, &nodes(2)));
        let other = packet(SHORT, &nodes(3));
        let stream = [
            &whole,
            &torn[..100],
            &torn[40..90],
            &whole,
            &packet(LONG, &nodes(5)),
            &other,
            &other,
            &other,
            &packet(SHORT, &nodes(4)),
        ]
        .map(|bytes: &[u8]| bytes)
        .concat();
        let said = said_of(&[&stream]);
        for expected in [
            r#"{"progress":2,"total":9,"message":"root"}"#,
            r#"{"progress":5,"total":9}"#,
            r#"{"progress":4,"total":9}"#,
        ] {
            assert!(said.iter().any(|said| said == expected), "{said:#?}");
        }
    }

    #[test]
    fn recorded_streams_of_both_layouts_are_read_to_the_end() {
        let old = said_of(&[OLD_STREAM]);
        assert_eq!(
            old[..2],
            [
                r#"{"progress":39,"message":"unicode.zig","id":"zig-2","title":"AST Lowering"}"#,
                r#"{"progress":42,"id":"zig-2"}"#,
            ]
        );
        assert_eq!(
            old[20..],
            [
                r#"{"id":"zig-2","status":"ok"}"#,
                r#"{"progress":5,"message":"LLVM Emit Object"}"#,
            ]
        );
        let short = said_of(&[SHORT_STREAM]);
        assert_eq!(
            short[..4],
            [
                r#"{"progress":1,"total":1,"id":"zig-2","title":"Linking"}"#,
                r#"{"progress":6,"id":"zig-3","title":"AST Lowering"}"#,
                r#"{"id":"zig-4","title":"compiler_rt"}"#,
                r#"{"progress":0,"total":1,"id":"zig-5","parent":"zig-4","title":"Linking"}"#,
            ]
        );
        assert_eq!(
            short[66],
            concat!(
                r#"{"progress":1009,"total":4926,"message":"array_hash_map.ArrayHashMapUnmanaged(u64","#,
                r#""id":"zig-2"}"#
            )
        );
        let long = said_of(&[LONG_STREAM]);
        assert_eq!(
            long[2..5],
            [
                r#"{"progress":1,"total":5,"id":"zig-4","parent":"zig-3","title":"Linking"}"#,
                r#"{"progress":117,"message":"c.zig","id":"zig-5","parent":"zig-3","title":"AST Lowering"}"#,
                r#"{"progress":180,"message":"p384_64.zig","id":"zig-5","parent":"zig-3"}"#,
            ]
        );
        assert_eq!(
            long[39..],
            [
                r#"{"progress":6303,"total":6304,"message":"","id":"zig-2"}"#,
                concat!(
                    r#"{"progress":7709,"message":"array_hash_map.Custom([]const u8,[]const u8,process.Environ.Map."#,
                    r#"EnvNameHashContext,false).ensureTotalCapacityContext","id":"zig-25"}"#
                ),
                r#"{"progress":1911,"total":1911,"id":"zig-26"}"#,
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
            ..ProptestConfig::with_cases(32)
        })]

        #[test]
        fn where_the_bytes_are_cut_makes_no_difference(
            stream in prop::sample::select(vec![OLD_STREAM, SHORT_STREAM, LONG_STREAM]),
            from in any::<prop::sample::Index>(),
            changed in vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
            cuts in vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut bytes = stream[from.index(200)..stream.len().min(5000)].to_vec();
            for (place, byte) in changed {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let whole = said_of(&[&bytes]);
            prop_assert_eq!(&said_of(&pieces), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&said_of(&single), &whole);
        }

        #[test]
        fn any_bytes_are_passed_over(bytes in vec(prop_oneof![any::<u8>(), Just(0), Just(1), Just(ROOT)], 0..3000)) {
            said_of(&bytes.chunks(97).collect::<Vec<_>>());
        }
    }
}
