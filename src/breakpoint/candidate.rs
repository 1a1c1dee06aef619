//! The event that a condition is asked about, coming or recorded, with its past. It must not
//! know conditions.

use std::borrow::Cow;

use crate::codec::etf;
use crate::model::{Actor, Event, Filter, Kind, NewEvent, Seq, Term};
use crate::store::Recording;

/// An event and what was known just before it.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The event; a coming one has the seq that it will get.
    pub event: Event,
    /// Payload and metadata of a coming event; a recorded one's are fetched when asked for.
    coming: Option<(&'a [u8], &'a [u8])>,
    recording: &'a Recording,
    /// The branch whose past counts.
    branch: u32,
}

impl<'a> Candidate<'a> {
    /// The event that `recording`'s newest branch gets next.
    pub fn coming(new: &NewEvent<'a>, recording: &'a Recording) -> Candidate<'a> {
        let event = Event { seq: Seq(recording.len()), ..Event::of(new) };
        Candidate { event, coming: Some((new.payload, new.meta)), recording, branch: recording.current_branch() }
    }

    /// A recorded event of `branch` or of its past.
    pub fn stored(event: Event, recording: &'a Recording, branch: u32) -> Candidate<'a> {
        Candidate { event, coming: None, recording, branch }
    }

    /// Whether the event has not happened yet.
    pub fn is_coming(&self) -> bool {
        self.coming.is_some()
    }

    /// The payload's external term format, 131 first; `None` when the event has none.
    pub fn payload(&self) -> Option<Cow<'a, [u8]>> {
        match self.coming {
            Some((payload, _)) => Some(Cow::Borrowed(payload)).filter(|payload| !payload.is_empty()),
            None => self.recording.payload(self.event.seq).map(Cow::Owned),
        }
    }

    /// The decoded payload; `None` when there is none, or it is too deep or damaged.
    pub fn term(&self) -> Option<Term> {
        etf::decode(&self.payload()?).ok()
    }

    /// The metadata map.
    pub fn meta(&self) -> Option<Term> {
        match self.coming {
            Some((_, [])) => None,
            Some((_, meta)) => etf::decode(meta).ok(),
            None => self.recording.meta(self.event.seq),
        }
    }

    /// The recording that holds the past.
    pub fn recording(&self) -> &'a Recording {
        self.recording
    }

    /// The last event of the past that matches `filter`, whose ranges are replaced.
    pub fn last_before(&self, mut filter: Filter) -> Option<Event> {
        let cut = |range: std::ops::Range<u64>| range.start..range.end.min(self.event.seq.0);
        filter.ranges = self.recording.lineage(self.branch).into_iter().map(cut).filter(|r| !r.is_empty()).collect();
        if filter.ranges.is_empty() { None } else { self.recording.scan(&filter).next_back() }
    }

    /// The bytes of `process`'s state just before the event. One look-up in the process's postings.
    pub fn state_before(&self, process: Actor) -> Option<Vec<u8>> {
        let last = self.last_before(Filter::kind(Kind::StateChange).process(process))?;
        self.recording.payload(last.seq)
    }
}
