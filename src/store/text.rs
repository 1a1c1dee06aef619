//! Search for a text in what events carry: their tag, and the atoms, binaries, strings and funs of their payload. The text
//! filters ([`super::grams`]) pass over payload blocks; what is left is decompressed, searched as bytes, and each payload
//! with a hit is walked to see that it stands inside of one text. It must not know scripts.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::Finder;

use super::columns::Columns;
use super::grams;
use super::payloads::BlockReader;
use super::plan::{Pruned, Query, locals, table};
use super::scan::{Candidates, Plan};
use crate::codec::texts;
use crate::model::{Failure, FailureKind, Outcome, limits};

/// A text to look for.
#[derive(Clone, Debug)]
pub struct Text {
    text: String,
    utf8: Finder<'static>,
    /// The text a byte a character, where that differs: as it stands in strings and in atoms of old encodings.
    latin1: Option<Finder<'static>>,
    /// Of a text such as `lists:map/2` the longest word: an external fun is so written, and its words are apart in a term.
    word: Option<Finder<'static>>,
    is_any_case: bool,
}

/// What a search had to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Payload blocks of the parts that have candidates.
    pub n_blocks: u64,
    /// Of them: blocks that the text filter passed over,
    pub n_blocks_filtered: u64,
    /// and others without a payload of a candidate.
    pub n_blocks_unasked: u64,
    /// Blocks decompressed, the open tail's payloads as one, and their bytes.
    pub n_blocks_read: u64,
    pub n_bytes_read: u64,
    /// Payloads that were walked because their bytes have the text.
    pub n_payloads_walked: u64,
}

impl Text {
    /// Errors: no text, [`limits::SEARCHED_TEXT_BYTES_MAX`].
    pub fn new(text: &str, is_any_case: bool) -> Outcome<Text> {
        if text.is_empty() {
            return Err(Failure::usage("there is no text to look for").hint("grep(\"timeout\")"));
        }
        if text.len() > limits::SEARCHED_TEXT_BYTES_MAX {
            let raise = format!("a text of {} bytes is too long to look for", text.len());
            let error = limits::tripped("SEARCHED_TEXT_BYTES_MAX", limits::SEARCHED_TEXT_BYTES_MAX, &raise);
            return Err(Failure::new(FailureKind::Limit, error));
        }
        let sought = if is_any_case { text.to_ascii_lowercase() } else { text.to_string() };
        let narrow: Option<Vec<u8>> = sought.chars().map(|c| u8::try_from(c).ok()).collect();
        let latin1 = narrow.filter(|narrow| *narrow != sought.as_bytes()).map(|narrow| finder(&narrow));
        let word = word_of_fun(&sought).map(|word| finder(word.as_bytes()));
        Ok(Text { text: text.to_string(), utf8: finder(sought.as_bytes()), latin1, word, is_any_case })
    }

    /// The text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
    pub fn is_any_case(&self) -> bool {
        self.is_any_case
    }

    /// Whether UTF-8 bytes have it.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.utf8.find(&self.folded(bytes)).is_some()
    }
    /// Whether a text of a term in external form has it.
    pub fn is_in_term(&self, payload: &[u8]) -> bool {
        let is_narrow = |bytes: &[u8]| {
            let narrow = self.latin1.as_ref().unwrap_or(&self.utf8);
            narrow.find(&self.folded(bytes)).is_some()
        };
        texts::texts(payload).any(|text| match text {
            texts::Text::Atom(bytes) | texts::Text::Binary(bytes) => self.is_in(bytes),
            texts::Text::OldAtom(bytes) => is_narrow(bytes),
            // Bytes of UTF-8 are often made a list.
            texts::Text::String(bytes) => is_narrow(bytes) || self.is_in(bytes),
            texts::Text::Fun { module, function, arity } => {
                self.word.is_some() && self.is_in_fun(module, function, arity)
            }
        })
    }

    /// Whether an external fun has it, as Erlang and Elixir write it.
    fn is_in_fun(&self, module: &[u8], function: &[u8], arity: u8) -> bool {
        let arity = format!("/{arity}");
        let erlang = [&b"fun "[..], module, b":", function, arity.as_bytes()].concat();
        let module = module.strip_prefix(b"Elixir.").unwrap_or(module);
        self.is_in(&erlang) || self.is_in(&[&b"&"[..], module, b".", function, arity.as_bytes()].concat())
    }

    /// What a term that has it has among its bytes, one of them.
    fn forms(&self) -> impl Iterator<Item = &Finder<'static>> {
        [Some(&self.utf8), self.latin1.as_ref(), self.word.as_ref()].into_iter().flatten()
    }
    /// Bytes as they are compared.
    fn folded<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_any_case { Cow::Owned(bytes.to_ascii_lowercase()) } else { Cow::Borrowed(bytes) }
    }
    /// Whether a block with this filter may have it.
    fn may_be_in(&self, filter: &[u8]) -> bool {
        self.forms().any(|form| grams::may_contain(filter, form.needle(), self.is_any_case))
    }
}

fn finder(bytes: &[u8]) -> Finder<'static> {
    Finder::new(bytes).into_owned()
}

/// The longest word of a text that may be of an external fun as it is written, such as `lists:map/2`, `&Enum.map` or `:map/2`.
fn word_of_fun(text: &str) -> Option<&str> {
    let marked = text.strip_prefix("fun ").or(text.strip_prefix('&'));
    let name = marked.unwrap_or(text);
    let (path, arity) = name.split_once('/').unwrap_or((name, ""));
    let is_apart = marked.is_some() || path.contains([':', '.']) || path.len() < name.len();
    let is_in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '!' | '?');
    let is_name = |word: &&str| word.chars().all(is_in_name) && !word.starts_with(|c: char| c.is_numeric());
    let words: Vec<&str> = path.split([':', '.']).collect();
    // The text may begin and end anywhere.
    let is_whole = words.iter().all(is_name) && words.iter().skip(1).rev().skip(1).all(|word| !word.is_empty());
    let is_fun = is_apart && is_whole && arity.chars().all(|c| c.is_ascii_digit());
    words.into_iter().max_by_key(|word| word.len()).filter(|word| is_fun && !word.is_empty())
}

impl<'r> Query<'r> {
    /// The plan for a part whose candidates have every text; `None` when nothing in it can match.
    pub fn plan_whole(&self, part: usize) -> Option<Plan<'r>> {
        let plan = self.plan(part).ok()?;
        if self.texts.is_empty() {
            return Some(plan);
        }
        let with_texts = self.search(part, &plan, &mut Searched::default()).ok()?;
        Some(Plan { candidates: Candidates::List(with_texts), tests: Vec::new(), ..plan })
    }

    /// Indexes of a plan's events that have every text. Errors: there are none, or the search was stopped.
    pub fn search(&self, part: usize, plan: &Plan<'r>, searched: &mut Searched) -> Result<Vec<u16>, Pruned> {
        let columns = plan.columns;
        let mut rounds = Vec::new();
        for (text, tags) in self.texts.iter().zip(&self.tags_with_text) {
            let tags = locals(tags, columns.tags, columns.is_sealed());
            let may_have = self.blocks_for(text, part, &columns);
            searched.n_blocks += may_have.len() as u64;
            searched.n_blocks_filtered += may_have.iter().filter(|may| !**may).count() as u64;
            if tags.is_empty() && !may_have.contains(&true) {
                return Err(Pruned::Text);
            }
            rounds.push((text, table(&tags, columns.tags.len(), 1), may_have));
        }
        let mut indexes = Vec::new();
        plan.each_chunk(|matching| indexes.extend_from_slice(matching));
        for (text, has_tag, may_have) in rounds {
            let is_told = |idx: u16| has_tag[columns.tag.get(idx.into())];
            let mut numbers = vec![false; columns.n_payloads + 1];
            let asked = indexes.iter().filter(|idx| !is_told(**idx));
            asked.for_each(|idx| numbers[columns.payload.get((*idx).into())] = true);
            numbers[0] = false;
            self.leave_having(text, part, &columns, &may_have, &mut numbers, searched)?;
            indexes.retain(|idx| is_told(*idx) || numbers[columns.payload.get((*idx).into())]);
        }
        if indexes.is_empty() { Err(Pruned::Text) } else { Ok(indexes) }
    }

    /// For each block of a part whether it may have the text. What the open tail has counts as one block.
    fn blocks_for(&self, text: &Text, part: usize, columns: &Columns<'_>) -> Vec<bool> {
        match self.recording.segments.get(part) {
            Some(_) => (0..columns.blocks.len()).map(|block| text.may_be_in(columns.gram_filter(block))).collect(),
            None => vec![columns.n_payloads > 0],
        }
    }

    /// Leaves of the payload `numbers` those that have the text. Errors: the search was stopped.
    fn leave_having(
        &self,
        text: &Text,
        part: usize,
        columns: &Columns<'_>,
        may_have: &[bool],
        numbers: &mut [bool],
        searched: &mut Searched,
    ) -> Result<(), Pruned> {
        let Some(segment) = self.recording.segments.get(part) else {
            let stream = self.recording.open_part(part).stream().0;
            text.leave_having(columns, stream, 0..stream.len(), 1..columns.n_payloads + 1, numbers, searched);
            return Ok(());
        };
        let mut reader = BlockReader::new(columns, segment.stored());
        let mut next = 1;
        for (block_idx, may_have) in may_have.iter().enumerate() {
            if self.is_stopped() {
                return Err(Pruned::Stopped);
            }
            let stream = reader.stream_range(block_idx);
            let own = next..columns.first_payload_beyond(stream.end);
            next = own.end;
            if !may_have {
                numbers[own].fill(false);
            } else if !numbers[own.clone()].contains(&true) {
                searched.n_blocks_unasked += 1;
            } else if let Some(bytes) = reader.read(block_idx) {
                text.leave_having(columns, &bytes, stream, own, numbers, searched);
            } else {
                self.recording.cache.note_damage(columns.start, block_idx);
                numbers[own].fill(false);
            }
        }
        Ok(())
    }
}

impl Text {
    /// Leaves of the payloads `own`, which lie in `block`, those that have the text; `stream` is the block's place.
    fn leave_having(
        &self,
        columns: &Columns<'_>,
        block: &[u8],
        stream: Range<usize>,
        own: Range<usize>,
        numbers: &mut [bool],
        searched: &mut Searched,
    ) {
        searched.n_blocks_read += 1;
        searched.n_bytes_read += block.len() as u64;
        let mut having = vec![false; own.len()];
        let folded = self.folded(block);
        for form in self.forms() {
            let (mut at, mut number) = (0, own.start);
            while let Some(hit) = form.find(&folded[at..]).map(|hit| stream.start + at + hit) {
                // The payload in which the hit begins.
                while number < own.end && columns.payload_range(number as u16).end <= hit {
                    number += 1;
                }
                if number == own.end {
                    break;
                }
                let payload = columns.payload_range(number as u16);
                at = payload.end - stream.start;
                if numbers[number] && !having[number - own.start] {
                    searched.n_payloads_walked += 1;
                    having[number - own.start] = self.is_in_term(&block[payload.start - stream.start..at]);
                }
            }
        }
        numbers[own].copy_from_slice(&having);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;
    use crate::model::term::Fun;
    use crate::model::{Atom, Term};

    #[test]
    fn a_fun_is_found_as_it_is_written() {
        let fun = |module: &str, function: &str| {
            let fun = Fun::External { module: Atom::new(module), function: Atom::new(function), arity: 2 };
            let mut bytes = Vec::new();
            etf::encode(&Term::tuple([Term::atom("ok"), Term::Fun(fun.into())]), &mut bytes);
            bytes
        };
        let (erlang, elixir) = (fun("lists", "map"), fun("Elixir.Enum", "map"));
        let is_in = |text: &str, is_any_case, bytes: &[u8]| Text::new(text, is_any_case).unwrap().is_in_term(bytes);
        for text in ["lists", "map", "lists:map/2", "fun lists:map", "sts:m", ":map/2", "lists:", "map/2"] {
            assert!(is_in(text, false, &erlang), "{text}");
        }
        for text in ["&Enum.map/2", "Enum.map", "Elixir.Enum:map", "num.ma"] {
            assert!(is_in(text, false, &elixir), "{text}");
        }
        assert!(is_in("LISTS:map/2", true, &erlang) && !is_in("LISTS:map/2", false, &erlang));
        assert!(!is_in("lists:map/3", false, &erlang) && !is_in("lists:fold", false, &erlang));
    }

    #[test]
    fn only_what_may_be_of_a_fun_costs_more_blocks() {
        let word = |text| word_of_fun(text);
        assert_eq!(["lists:map/2", "My.Shop.sell/1", "map/2", "&f"].map(word), ["lists", "sell", "map", "f"].map(Some));
        for text in ["10.0.0.1:8080", "http://x", "went well", "timeout", "a/b", "12:30", ":", "/2", "x..y"] {
            assert_eq!(word(text), None, "{text}");
        }
    }
}
