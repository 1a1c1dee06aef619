//! The table of how a query is answered. It must not know how it was found out.

use super::text;
use crate::store::{Index, Pruned, Searched, Stage, Step, Text};
use crate::view::{Cell, Table};

/// What each step leaves, measured by running it.
pub fn plan(steps: &[Step], n_sealed: usize, texts: &[Text]) -> Table {
    let mut table = Table::new("plan", &["step", "how", ">segments", ">events"]);
    for step in steps {
        let (name, how) = match &step.stage {
            Stage::All => ("recording", parts(n_sealed, step.n_parts > n_sealed as u64)),
            Stage::Pruned(why) => ("passed over", passed_over(*why).to_string()),
            Stage::Candidates(indexes) => ("candidates", candidates(indexes)),
            Stage::Test(column) => ("test", format!("column {column}")),
            Stage::Texts(searched) => ("text", searched_for(texts, searched)),
        };
        table.push(vec![text(name), Cell::Text(how), Cell::Int(step.n_parts as i64), Cell::Int(step.n_events as i64)]);
    }
    table.note("segments and events are what a step leaves, counted by running it")
}

/// What a recording is made of.
fn parts(n_sealed: usize, has_tail: bool) -> String {
    let sealed = match n_sealed {
        0 => None,
        1 => Some("one sealed segment".to_string()),
        n => Some(format!("{n} sealed segments")),
    };
    let tail = has_tail.then(|| "the open tail".to_string());
    sealed.into_iter().chain(tail).collect::<Vec<_>>().join(" and ")
}

fn passed_over(why: Pruned) -> &'static str {
    match why {
        Pruned::Range => "segments outside of the range",
        Pruned::Time => "segments of other times, by their summaries",
        Pruned::Kind => "segments without the kinds, by their summaries",
        Pruned::Cause => "segments without an effect, by their summaries",
        Pruned::Name => "segments without the process or tag, by their dictionaries",
        Pruned::Call => "segments without the call, by their tables",
        Pruned::Index => "segments of which an index has no event",
        Pruned::Text => "segments without the text",
        Pruned::Stopped => "interrupted: segments not looked at",
    }
}

fn candidates(indexes: &[(Index, u64)]) -> String {
    let name = |index: &Index| match index {
        Index::Path => "index of changed paths",
        Index::Cause => "index of causes",
        Index::Process => "postings of the process",
        Index::Peer => "postings of the peer",
        Index::Involved => "postings of process and peer",
        Index::Tag => "postings of the tag",
        Index::KindChunks => "kinds of 1024 events",
    };
    if indexes.is_empty() {
        return "all of the range".into();
    }
    let told: Vec<String> = indexes.iter().map(|(index, n)| format!("{} (in {n})", name(index))).collect();
    told.join(", ")
}

fn searched_for(texts: &[Text], searched: &Searched) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{:?}", text.as_str())).collect();
    let Searched { n_blocks, n_blocks_filtered, n_blocks_unasked, n_blocks_read, n_bytes_read, n_payloads_walked } =
        searched;
    format!(
        "{}: of {n_blocks} payload blocks {n_blocks_filtered} passed over by text filters, {n_blocks_unasked} without a \
         candidate, {n_blocks_read} read ({n_bytes_read} bytes); {n_payloads_walked} payloads looked into",
        quoted.join(", "),
    )
}
