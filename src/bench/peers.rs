//! Other stores on the same rows, run as programs of their own: Python's `sqlite3` and `duckdb`.
//! Only the insert is timed, from rows that are in memory already, in one transaction.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::workload::Workload;
use crate::model::{Failure, Outcome};

/// What a peer took.
pub struct Taken {
    pub took: Duration,
    pub file_bytes: u64,
}

/// Reads the rows, inserts them, prints seconds and file size.
const SCRIPT: &str = r"
import os, struct, sys, time
peer, rows_path, db_path = sys.argv[1:4]
head = struct.Struct('<QqBBIIIQqI')
data, at, rows = open(rows_path, 'rb').read(), 0, []
while at < len(data):
    *fields, size = head.unpack_from(data, at)
    at += head.size
    rows.append((*fields, data[at:at + size]))
    at += size
table = 'create table event(seq bigint, at_ns bigint, kind int, class int, process int, peer int, tag int, call bigint, cause bigint, payload blob)'
if peer == 'sqlite':
    import sqlite3
    db = sqlite3.connect(db_path)
    db.execute(table.replace('seq bigint', 'seq integer primary key'))
    began = time.perf_counter()
    db.executemany('insert into event values (?,?,?,?,?,?,?,?,?,?)', rows)
    db.commit()
else:
    import duckdb, pyarrow
    db = duckdb.connect(db_path)
    db.execute(table)
    names = ['seq', 'at_ns', 'kind', 'class', 'process', 'peer', 'tag', 'call', 'cause', 'payload']
    batch = pyarrow.table(dict(zip(names, zip(*rows))))
    began = time.perf_counter()
    db.execute('insert into event select * from batch')
    db.execute('checkpoint')
took = time.perf_counter() - began
db.close()
print(took, os.path.getsize(db_path))
";

/// Times `peer` (`sqlite` or `duckdb`) on the workload. Errors say why it cannot run: no python3, no such module.
pub fn insert(peer: &str, workload: &Workload, scratch: &Path) -> Outcome<Taken> {
    let rows_path = scratch.join("rows");
    if !rows_path.exists() {
        write_rows(workload, &rows_path).map_err(|error| Failure::io(format!("{}: {error}", rows_path.display())))?;
    }
    let db_path = scratch.join(peer);
    let output = Command::new("python3").args(["-c", SCRIPT, peer]).args([&rows_path, &db_path]).output();
    let output = output.map_err(|error| Failure::not_found(format!("python3 does not run: {error}")))?;
    if !output.status.success() {
        let talk = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::not_found(talk.lines().last().unwrap_or("python3 failed").to_string()));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut words = printed.split_whitespace();
    let seconds = words.next().and_then(|word| word.parse::<f64>().ok());
    let file_bytes = words.next().and_then(|word| word.parse::<u64>().ok());
    let (seconds, file_bytes) =
        seconds.zip(file_bytes).ok_or_else(|| Failure::bad_input(format!("{peer} printed {printed:?}")))?;
    Ok(Taken { took: Duration::from_secs_f64(seconds), file_bytes })
}

fn write_rows(workload: &Workload, path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    for (seq, event) in (0u64..).zip(workload.events(0)) {
        let number = |actor: Option<crate::model::Actor>| actor.and_then(|a| a.pid()).map_or(0, |pid| pid.id);
        out.write_all(&seq.to_le_bytes())?;
        out.write_all(&event.at_ns.to_le_bytes())?;
        out.write_all(&[event.kind as u8, event.class as u8])?;
        out.write_all(&number(Some(event.process)).to_le_bytes())?;
        out.write_all(&number(event.peer).to_le_bytes())?;
        out.write_all(&event.tag.map_or(0, |tag| tag.as_str().len() as u32).to_le_bytes())?;
        out.write_all(&event.call.map_or(0, |call| call.0).to_le_bytes())?;
        out.write_all(&event.cause.map_or(-1, |cause| cause.0 as i64).to_le_bytes())?;
        out.write_all(&(event.payload.len() as u32).to_le_bytes())?;
        out.write_all(event.payload)?;
    }
    out.flush()
}
