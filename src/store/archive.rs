//! The archive form of a segment: its columns as streams of varints that say how each event differs from what its cause lets
//! expect, compressed with effort; its payloads in one block. Indexes are not kept: they are made again when the segment is
//! first read, which costs about 0.2 µs per event. It must not know files.
//!
//! A message's arrival repeats its send: process and peer change places, the rest is the same. So where the cause of an
//! event lies in the segment, each of its fields is written as 0 when it is the expected one, else as the value plus one.

use std::num::NonZero;
use std::sync::Arc;

use super::columns::{Columns, OpenColumns};
use super::paths::PathIndex;
use super::payloads::{self, Effort, Stored};
use super::seal::seal_columns;
use super::segment::Segment;
use super::wire::{Reader, put_varint};
use crate::model::{Kind, Seq, limits};

/// Effort for payloads: a segment's are one block, as a rule. Of a broker's trace, with the columns at 12, level 9 leaves
/// 12.3 bytes an event, 11 leaves 12.2 in 2 µs, 14 leaves 12.0 in 6.3 µs.
const EFFORT: Effort = Effort { level: 11, first_bytes: 16 << 20, block_bytes: 16 << 20 };
/// Effort of zstd for columns: 19 saves 0.15 bytes of an event more and doubles the time of all.
const COLUMNS_LEVEL: i32 = 12;
/// Bytes that the streams of one segment may take: many times what the largest segment has.
const STREAMS_BYTES_MAX: usize = 64 << 20;

/// A segment in archive form.
pub struct Archived {
    /// The streams, compressed, behind their length (u32).
    pub streams: Vec<u8>,
    /// Payload blocks.
    pub stored: Vec<u8>,
}

/// The archive forms of `segments`, in their order, made by all of the machine's cores; so many segments are in memory at once.
/// `each` is given them one by one and its error ends the work.
pub fn pack_all<E>(
    segments: &[Arc<Segment>],
    mut each: impl FnMut(&Segment, Option<Archived>) -> Result<(), E>,
) -> Result<(), E> {
    let n_threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    for segments in segments.chunks(n_threads) {
        let packed: Vec<Option<Archived>> = std::thread::scope(|scope| {
            let packing: Vec<_> = segments.iter().map(|segment| scope.spawn(|| pack(segment))).collect();
            packing.into_iter().map(|packing| packing.join().ok().flatten()).collect()
        });
        segments.iter().zip(packed).try_for_each(|(segment, packed)| each(segment, packed))?;
    }
    Ok(())
}

/// The fields of an event that its cause lets expect, each plus one, 0 for none (a local number, a place, a payload number).
type Fields = [usize; 6];

/// Reads fields by index from columns.
fn fields(columns: &Columns<'_>, idx: usize) -> Fields {
    let [process, peer] = [columns.process.get(idx) + 1, columns.peer.get(idx)];
    let message = [columns.tag.get(idx), columns.call.get(idx), columns.class.get(idx), columns.payload.get(idx)];
    [process, peer, message[0], message[1], message[2], message[3]]
}

/// What the fields of an event are when it is the arrival or the handling of its cause.
fn expected(kind: u8, cause: Fields) -> Fields {
    let [process, peer, tag, call, class, payload] = cause;
    match Kind::from_byte(kind) {
        Some(Kind::Receive | Kind::Down | Kind::TimerFire) => [peer, process, tag, call, class, payload],
        Some(Kind::HandleStart) => [process, peer, tag, call, class, 0],
        Some(Kind::Reply) => [process, peer, tag, call, class, payload],
        _ => [process, peer, 0, 0, class, 0],
    }
}

/// Values that no field has: nothing is expected.
const UNEXPECTED: Fields = [usize::MAX; 6];

/// The archive form of a segment. `None`: the segment is damaged, or the library has no memory.
fn pack(segment: &Segment) -> Option<Archived> {
    segment.check().ok()?;
    let columns = segment.columns();
    let stream = payloads::inflate(&columns, segment.stored())?;
    let mut streams: [Vec<u8>; N_STREAMS] = Default::default();
    let (mut last_ns, mut n_seen) = (0i64, 0usize);
    for idx in 0..columns.len() {
        let at_ns = columns.at_ns(idx);
        put_signed(&mut streams[TIME], at_ns.wrapping_sub(last_ns));
        last_ns = at_ns;
        let kind = columns.kind[idx][0];
        streams[KIND].push(kind);
        let distance = columns.cause(idx).map_or(0, |cause| columns.start + idx as u64 - cause.0);
        put_varint(&mut streams[CAUSE], distance);
        let cause = idx.checked_sub(distance as usize).filter(|_| distance > 0 && distance <= idx as u64);
        let expect = cause.map_or(UNEXPECTED, |cause| expected(kind, fields(&columns, cause)));
        let own = fields(&columns, idx);
        for (place, (own, expect)) in own.into_iter().zip(expect).enumerate() {
            let value = if place == PAYLOAD { since_newest(own, &mut n_seen) } else { own };
            put_varint(&mut streams[FIELDS + place], if own == expect { 0 } else { value as u64 + 1 });
        }
    }
    for [low, high, number_low, number_high] in columns.meta {
        put_varint(&mut streams[META], u16::from_le_bytes([*low, *high]).into());
        put_varint(&mut streams[META], u16::from_le_bytes([*number_low, *number_high]).into());
    }
    let mut before = 0;
    for number in 1..=columns.n_payloads {
        let end = columns.payload_range(number as u16).end as u64;
        put_varint(&mut streams[ENDS], end - before);
        before = end;
    }
    put_ascending(&mut streams[NUMBERS], columns.actors.iter().map(|number| u32::from_le_bytes(*number).into()));
    put_ascending(&mut streams[NUMBERS], columns.tags.iter().map(|number| u32::from_le_bytes(*number).into()));
    put_ascending(&mut streams[NUMBERS], columns.calls.iter().map(|key| u64::from_le_bytes(*key)));
    let ends: Vec<[u8; 4]> =
        (1..=columns.n_payloads).map(|n| (columns.payload_range(n as u16).end as u32).to_le_bytes()).collect();
    let stored = payloads::compress_as(&stream, &ends, EFFORT);
    put_plain(&mut streams[TABLES], stored.blocks.as_flattened());
    put_plain(&mut streams[TABLES], columns.path_keys.as_flattened());
    put_plain(&mut streams[TABLES], columns.path_starts.as_flattened());
    put_plain(&mut streams[TABLES], columns.path_list.as_flattened());

    let mut all = Vec::new();
    streams.iter().for_each(|stream| put_plain(&mut all, stream));
    let mut out = (all.len() as u32).to_le_bytes().to_vec();
    out.extend(zstd::bulk::compress(&all, COLUMNS_LEVEL).ok()?);
    Some(Archived { streams: out, stored: stored.bytes })
}

const TIME: usize = 0;
const KIND: usize = 1;
const CAUSE: usize = 2;
const FIELDS: usize = 3;
/// The payload's place among the fields.
const PAYLOAD: usize = 5;
const META: usize = 9;
const ENDS: usize = 10;
const NUMBERS: usize = 11;
const TABLES: usize = 12;
const N_STREAMS: usize = 13;

/// A payload number as how new it is: 0 none, 1 the next new one, 2 and more an older one.
fn since_newest(number: usize, n_seen: &mut usize) -> usize {
    match number {
        0 => 0,
        number if number > *n_seen => {
            let ahead = number - *n_seen;
            *n_seen = number;
            // A metadata map may have taken a number in between.
            2 * ahead - 1
        }
        number => 2 * (*n_seen - number + 1),
    }
}
fn from_newest(code: usize, n_seen: &mut usize) -> Option<usize> {
    match (code, code % 2) {
        (0, _) => Some(0),
        (_, 1) => {
            *n_seen = n_seen.checked_add(code / 2 + 1)?;
            Some(*n_seen)
        }
        _ => (*n_seen + 1).checked_sub(code / 2),
    }
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}
fn read_signed(reader: &mut Reader<'_>) -> Option<i64> {
    let value = reader.varint()?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}
fn put_plain(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
fn read_plain<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let n = reader.count()?;
    reader.take(n)
}
fn put_ascending(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = u64>) {
    put_varint(out, values.len() as u64);
    let mut before = 0;
    for value in values {
        put_varint(out, value - before);
        before = value;
    }
}
fn read_ascending(reader: &mut Reader<'_>) -> Option<Vec<u64>> {
    let n = reader.count()?;
    let mut before = 0u64;
    let next = |_| {
        before = before.checked_add(reader.varint()?)?;
        Some(before)
    };
    (0..n).map(next).collect()
}

/// The columns again, with indexes; the payloads stay where they are. `None`: the bytes are damaged.
pub fn unpack(start: u64, n_events: usize, streams: &[u8]) -> Option<Segment> {
    let (n_plain, packed) = streams.split_first_chunk::<4>()?;
    let n_plain = u32::from_le_bytes(*n_plain) as usize;
    if n_plain > STREAMS_BYTES_MAX {
        return None;
    }
    let plain = zstd::bulk::decompress(packed, n_plain).ok()?;
    let mut reader = Reader::new(&plain);
    let mut streams = [&[][..]; N_STREAMS];
    for stream in &mut streams {
        *stream = read_plain(&mut reader)?;
    }
    let mut numbers = Reader::new(streams[NUMBERS]);
    let [actors, tags, calls] =
        [read_ascending(&mut numbers)?, read_ascending(&mut numbers)?, read_ascending(&mut numbers)?];
    let number = |value: u64| u32::try_from(value).ok().map(u32::to_le_bytes);
    let actors: Vec<[u8; 4]> = actors.into_iter().map(number).collect::<Option<_>>()?;
    let tags: Vec<[u8; 4]> = tags.into_iter().map(number).collect::<Option<_>>()?;
    let mut open = OpenColumns::default();
    open.calls = calls.iter().map(|key| key.to_le_bytes()).collect();
    let mut end = 0u32;
    let mut ends = Reader::new(streams[ENDS]);
    while !ends.is_empty() {
        end = end.checked_add(u32::try_from(ends.varint()?).ok()?)?;
        open.payload_ends.push(end.to_le_bytes());
    }
    let sizes = Sizes { actors: actors.len(), tags: tags.len(), calls: calls.len(), payloads: open.payload_ends.len() };
    if sizes.payloads > usize::from(u16::MAX) || n_events > limits::SEGMENT_EVENTS {
        return None;
    }
    read_events(&streams, start, n_events, &sizes, &mut open)?;
    let mut metas = Reader::new(streams[META]);
    while !metas.is_empty() {
        let [idx, number] = [metas.varint()?, metas.varint()?].map(|value| u16::try_from(value).ok());
        let (idx, number) = (idx?.to_le_bytes(), number?.to_le_bytes());
        open.meta.push([idx[0], idx[1], number[0], number[1]]);
    }
    let mut tables = Reader::new(streams[TABLES]);
    let (blocks, n_blocks_rest) = read_plain(&mut tables)?.as_chunks();
    let blocks = Stored {
        gram_starts: vec![[0; 4]; blocks.len() + 1],
        blocks: blocks.to_vec(),
        bytes: Vec::new(),
        grams: Vec::new(),
    };
    let paths = PathIndex {
        keys: read_plain(&mut tables)?.as_chunks().0.to_vec(),
        starts: read_plain(&mut tables)?.as_chunks().0.to_vec(),
        list: read_plain(&mut tables)?.as_chunks().0.to_vec(),
    };
    let view = Columns { actors: &actors, tags: &tags, ..open.view(start) };
    n_blocks_rest.is_empty().then(|| seal_columns(&view, blocks, &paths))
}

/// Upper bounds of the local numbers.
struct Sizes {
    actors: usize,
    tags: usize,
    calls: usize,
    payloads: usize,
}

fn read_events(
    streams: &[&[u8]; N_STREAMS],
    start: u64,
    n_events: usize,
    sizes: &Sizes,
    open: &mut OpenColumns,
) -> Option<()> {
    let mut readers = streams.map(Reader::new);
    let mut at_ns = 0i64;
    let mut n_seen = 0;
    let mut seen: Vec<Fields> = Vec::with_capacity(n_events);
    let maxima: Fields = [sizes.actors, sizes.actors, sizes.tags, sizes.calls, 0xFF, sizes.payloads];
    for idx in 0..n_events {
        at_ns = at_ns.wrapping_add(read_signed(&mut readers[TIME])?);
        let kind = readers[KIND].u8()?;
        let distance = readers[CAUSE].varint()?;
        let seq = start + idx as u64;
        let cause = idx.checked_sub(usize::try_from(distance).ok()?).filter(|_| distance > 0);
        let expect = cause.map_or(UNEXPECTED, |cause| expected(kind, seen[cause]));
        let mut own = [0; 6];
        for (place, own) in own.iter_mut().enumerate() {
            *own = match usize::try_from(readers[FIELDS + place].varint()?).ok()?.checked_sub(1) {
                None => expect[place],
                Some(code) if place == PAYLOAD => from_newest(code, &mut n_seen)?,
                Some(value) => value,
            };
            if place == PAYLOAD && *own == expect[place] && *own > n_seen {
                n_seen = *own;
            }
            if *own > maxima[place] {
                return None;
            }
        }
        let process = own[0].checked_sub(1)?;
        open.push_time(idx, at_ns);
        open.push_cause(idx, seq, (distance > 0).then(|| seq.checked_sub(distance).map(Seq)).flatten());
        open.kind.push([Kind::from_byte(kind)? as u8]);
        open.class.push(own[4] as u8);
        open.process.push((process as u16).to_le_bytes());
        open.peer.push((own[1] as u16).to_le_bytes());
        open.tag.push((own[2] as u16).to_le_bytes());
        open.call.push((own[3] as u16).to_le_bytes());
        open.payload.push((own[5] as u16).to_le_bytes());
        seen.push(own);
    }
    Some(())
}
