//! The events that all stores are given: made beforehand, in memory, and as columns in files for peers in other programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::bench::Workload;
use crate::model::{Actor, Atom, EventBatch, Failure, Kind, NewEvent, Outcome};
use crate::sandbox::import::import;
use crate::store::Recording;

/// Events in memory.
pub struct Rows {
    batches: Vec<EventBatch>,
    pub name: String,
    pub n: u64,
    /// Bytes of payloads and metadata.
    pub n_bytes: u64,
    /// The process with the most events.
    pub busiest: Actor,
}

impl Rows {
    /// A shop under load: see [`Workload`].
    pub fn synthetic(n: u64) -> Outcome<Rows> {
        let workload = Workload::new(n as usize);
        let mut batch = EventBatch::default();
        workload.events(0).for_each(|event| _ = batch.push(&event));
        Rows::of(format!("{n} synthetic events"), vec![batch])
    }

    /// The first `n_max` events of a trace file.
    pub fn of_trace(path: &Path, n_max: u64) -> Outcome<Rows> {
        let (mut batches, mut n) = (Vec::new(), 0);
        let mut take = |batch: &EventBatch| {
            let mut copy = EventBatch::new(batch.first);
            batch.iter().take((n_max - n) as usize).for_each(|event| _ = copy.push(&event));
            n += copy.len() as u64;
            batches.push(copy);
            // The one way to stop: it is no failure when enough is there.
            if n < n_max { Ok(()) } else { Err(Failure::interrupted()) }
        };
        let done = import(path, &mut take, &mut |_| true);
        if n < n_max {
            done?;
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Rows::of(format!("{n} events of {name}"), batches)
    }

    fn of(name: String, batches: Vec<EventBatch>) -> Outcome<Rows> {
        let mut n_of: FxHashMap<Actor, u64> = FxHashMap::default();
        batches.iter().flat_map(EventBatch::iter).for_each(|event| *n_of.entry(event.process).or_default() += 1);
        let busiest = n_of.iter().max_by_key(|(actor, n)| (**n, **actor)).map(|(actor, _)| *actor);
        let busiest = busiest.ok_or_else(|| Failure::bad_input(format!("{name}: nothing to measure with")))?;
        let n = batches.iter().map(|batch| batch.len() as u64).sum();
        let n_bytes = batches.iter().map(|batch| batch.n_bytes() as u64).sum();
        Ok(Rows { batches, name, n, n_bytes, busiest })
    }

    pub fn iter(&self) -> impl Iterator<Item = NewEvent<'_>> {
        self.batches.iter().flat_map(EventBatch::iter)
    }

    /// Appends all to a recording.
    pub fn append_to(&self, recording: &mut Recording) -> Outcome<()> {
        self.iter().try_for_each(|event| recording.append(&event).map(drop))
    }

    /// What any store must do at least: moves rows and payloads to where they stay.
    pub fn copy(&self) -> usize {
        let mut bytes: Vec<u8> = Vec::with_capacity(self.n_bytes as usize + self.n as usize * ROW_BYTES);
        for event in self.iter() {
            let mut row = [0u8; ROW_BYTES];
            row[..8].copy_from_slice(&event.at_ns.to_le_bytes());
            row[8] = event.kind as u8;
            bytes.extend_from_slice(&row);
            bytes.extend_from_slice(event.payload);
            bytes.extend_from_slice(event.meta);
        }
        std::hint::black_box(&bytes).len()
    }

    /// Writes a file per column into `folder`, and what is to be asked: `times` and `seqs` to look up.
    pub fn write(&self, folder: &Path, times: &[i64], seqs: &[u64]) -> Outcome<()> {
        let written = self.write_columns(folder).and_then(|busiest| {
            let ask = serde_json::json!({
                "n": self.n, "process": busiest, "times": times, "seqs": seqs,
                "send": Kind::Send as u8, "receive": Kind::Receive as u8,
                "call": crate::model::Class::Call as u8, "reply": crate::model::Class::Reply as u8,
            });
            std::fs::write(folder.join("ask.json"), ask.to_string())
        });
        written.map_err(|error| Failure::io(format!("{}: {error}", folder.display())))
    }

    /// Gives the number of the busiest process.
    fn write_columns(&self, folder: &Path) -> std::io::Result<u32> {
        let mut columns = ["at_ns", "kind", "class", "process", "peer", "tag", "call", "cause"]
            .iter()
            .map(|name| File::create(folder.join(name)).map(BufWriter::new))
            .collect::<std::io::Result<Vec<_>>>()?;
        let mut payloads = Blobs::create(folder, "payload")?;
        let mut metas = Blobs::create(folder, "meta")?;
        let mut actors: FxHashMap<Actor, u32> = FxHashMap::default();
        let mut tags: FxHashMap<Atom, u32> = FxHashMap::default();
        let mut number = |actor: Actor| {
            let next = actors.len() as u32 + 1;
            *actors.entry(actor).or_insert(next)
        };
        let busiest = number(self.busiest);
        for event in self.iter() {
            let next_tag = tags.len() as u32 + 1;
            let tag = event.tag.map_or(0, |tag| *tags.entry(tag).or_insert(next_tag));
            let peer = event.peer.map_or(0, &mut number);
            let values: [&[u8]; 8] = [
                &event.at_ns.to_le_bytes(),
                &[event.kind as u8],
                &[event.class as u8],
                &number(event.process).to_le_bytes(),
                &peer.to_le_bytes(),
                &tag.to_le_bytes(),
                &event.call.map_or(0, |call| call.0).to_le_bytes(),
                &event.cause.map_or(-1, |cause| cause.0 as i64).to_le_bytes(),
            ];
            columns.iter_mut().zip(values).try_for_each(|(column, value)| column.write_all(value))?;
            payloads.push(event.payload)?;
            metas.push(event.meta)?;
        }
        columns
            .iter_mut()
            .chain([&mut payloads.bytes, &mut payloads.ends, &mut metas.bytes, &mut metas.ends])
            .try_for_each(Write::flush)?;
        Ok(busiest)
    }
}

/// A row without payload as a plain array of structs has it.
const ROW_BYTES: usize = 56;

/// A column of bytes: all in a row, and where each ends.
struct Blobs {
    bytes: BufWriter<File>,
    ends: BufWriter<File>,
    end: u64,
}

impl Blobs {
    fn create(folder: &Path, name: &str) -> std::io::Result<Blobs> {
        let bytes = BufWriter::new(File::create(folder.join(name))?);
        let mut ends = BufWriter::new(File::create(folder.join(format!("{name}.ends")))?);
        ends.write_all(&0u64.to_le_bytes())?;
        Ok(Blobs { bytes, ends, end: 0 })
    }
    fn push(&mut self, blob: &[u8]) -> std::io::Result<()> {
        self.end += blob.len() as u64;
        self.bytes.write_all(blob)?;
        self.ends.write_all(&self.end.to_le_bytes())
    }
}
