//! What stores are asked, and what is aimed at.

/// What one figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A rate of events.
    Event,
    /// A rate of rows that are given back.
    Row,
    /// Bytes per event.
    Bytes,
    /// A time.
    Once,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Unit::Event => "events",
            Unit::Row => "rows",
            Unit::Bytes => "per event",
            Unit::Once => "once",
        }
    }
}

/// A median in ns per unit, or bytes; and what was answered, when that can be compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    pub value: f64,
    pub answer: Option<u64>,
}

macro_rules! questions {
    ($($name:ident $word:literal $label:literal $unit:ident $aim:expr, $ratio:expr;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Question { $($name),+ }
        impl Question {
            pub const ALL: &'static [Question] = &[$(Question::$name),+];
            /// As peers call it.
            pub fn of_word(word: &str) -> Option<Question> { match word { $($word => Some(Question::$name),)+ _ => None } }
            pub fn label(self) -> &'static str { match self { $(Question::$name => $label),+ } }
            pub fn unit(self) -> Unit { match self { $(Question::$name => Unit::$unit),+ } }
            /// The most that it may take (ns, bytes).
            pub fn aim(self) -> Option<f64> { match self { $(Question::$name => $aim),+ } }
            /// How many times faster than DuckDB it is to be.
            pub fn ratio_aim(self) -> Option<f64> { match self { $(Question::$name => $ratio),+ } }
        }
    };
}

questions! {
    Append "append" "append to a file" Event Some(200.0), Some(5.0);
    Give "give" "append, what the giving thread takes" Event None, None;
    Size "size" "file, ready to be queried" Bytes Some(24.0), None;
    Archive "archive" "file, archive form" Bytes Some(13.0), None;
    CountKind "count_kind" "scan: count a kind" Event Some(2.0), None;
    CountWhere "count_where" "scan: count two kinds of 100 bytes or more" Event None, None;
    CountProcess "count_process" "count one process" Once None, None;
    ReadProcess "read_process" "read one process's events" Row None, None;
    GroupProcess "group_process" "group by process" Event None, Some(1.0);
    GroupPair "group_pair" "group by process and peer" Event None, Some(1.0);
    JoinCall "join_call" "latency join: calls with their replies" Event None, Some(5.0);
    JoinCause "join_cause" "latency join: receives with their causes" Event None, Some(5.0);
    SeekPayload "seek_payload" "seek a time, read a payload" Once Some(100e3), None;
    Seek100 "seek_100" "seek a time, read 100 payloads" Once None, None;
    FetchPayload "fetch_payload" "payload of an event" Once None, None;
    Reopen "reopen" "open the file" Once None, None;
    Materialise "materialise" "the whole system at an event" Once Some(5e6), None;
}

impl Question {
    /// Whether stores that agree on the question agree on a number.
    pub fn has_answer(self) -> bool {
        !matches!(
            self,
            Question::Append
                | Question::Give
                | Question::Size
                | Question::Archive
                | Question::Reopen
                | Question::Materialise
        )
    }
}
