//! Random operations on the store and on a `Vec`: both must agree on everything that can be asked.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Append(Box<Row>),
    Seal,
    Checkpoint,
    /// Begins a branch after an event, by its share of the log in percent.
    Branch(u8),
    SaveAndOpen,
    CompactAndOpen,
    Clone,
    /// Forgets the oldest segments, by their share in percent.
    Evict(u8),
}

/// What a plain list of rows knows.
#[derive(Default)]
struct Model {
    events: Vec<Event>,
    payloads: Vec<Vec<u8>>,
    metas: Vec<Vec<u8>>,
}

fn actor() -> impl Strategy<Value = Actor> {
    let port =
        |id: u32| Actor::from(crate::model::Port { id_high: 1, id_low: id, origin: crate::model::Origin::LOCAL });
    prop_oneof![
        8 => (0u32..6, 0u32..2).prop_map(|(id, incarnation)| Actor { incarnation, ..Actor::from(Pid::local(id)) }),
        1 => (0u32..3).prop_map(port),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    let plain: Vec<Kind> = Kind::ALL.iter().copied().filter(|k| !matches!(k, Kind::Restored | Kind::Forked)).collect();
    prop_oneof![
        2 => proptest::sample::select(plain),
        3 => proptest::sample::select(vec![Kind::Receive, Kind::HandleStart, Kind::HandleEnd, Kind::Send]),
    ]
}

fn time_ns() -> impl Strategy<Value = i64> {
    prop_oneof![8 => 0i64..2_000, 1 => 0i64..20_000_000_000, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => -50i64..0]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let encoded = |term: Term| {
        let mut bytes = Vec::new();
        etf::encode(&term, &mut bytes);
        bytes
    };
    let field = |key: &str, value: Term| (Term::atom(key), value);
    let map = move |op: &str, id: u32| {
        let fields =
            [field("op", Term::atom(op)), field("id", Term::atom("a")), field("pid", Term::from(Pid::local(id)))];
        let more = [field("supervisor", Term::from(Pid::local(id / 2))), field("total", Term::Int(id.into()))];
        Term::Map(Arc::new(fields.into_iter().chain(more).collect()))
    };
    prop_oneof![
        2 => Just(Vec::new()),
        2 => (0i64..20, 0i64..3).prop_map(move |(a, b)| encoded(Term::tuple([Term::Int(a), Term::Int(b)]))),
        1 => (0u32..6, proptest::sample::select(vec!["added", "removed", "gave_up"]))
            .prop_map(move |(id, op)| encoded(map(op, id))),
        2 => (worded(), worded()).prop_map(move |(a, b)| encoded(Term::tuple([a, b]))),
        1 => vec(any::<u8>(), 0..40),
    ]
}

/// Words that are there, in other cases and encodings too, and bytes that stand between them (`m`, `w` and `k` are tags).
fn word() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "order",
        "Order",
        "ORDER",
        "r",
        "m",
        "w",
        "k",
        "dde",
        "gave_up",
        "added",
        "EXIT",
        "xit",
        "caf\u{e9}",
        "\u{e9}",
        "\u{4e2d}",
        "nowhere",
        "removed",
        "tea tea",
        "TEA",
        "\u{e9}\u{e9}",
    ])
}

/// A text as a binary, an atom, a string of its characters or of its bytes.
fn worded() -> impl Strategy<Value = Term> {
    let texts = vec!["order", "oRder of tea tea", "caf\u{e9}", "\u{e9}", "\u{4e2d}\u{6587}", "mwk", "tea"];
    (proptest::sample::select(texts), 0u8..4).prop_map(|(text, form)| match form {
        0 => Term::binary(text.as_bytes()),
        1 => Term::atom(text),
        2 => Term::list(text.chars().map(|c| Term::Int(c as i64)).collect::<Vec<_>>()),
        _ => Term::list(text.bytes().map(|byte| Term::Int(byte.into())).collect::<Vec<_>>()),
    })
}

fn row() -> impl Strategy<Value = Row> {
    let tag = option::of(proptest::sample::select(vec!["a", "b", "EXIT", "reply"]));
    let class = proptest::sample::select(Class::ALL);
    let links = (option::of(actor()), tag, option::of(0u64..12), option::of(1u64..30));
    (time_ns(), kind(), class, actor(), links, payload(), option::weighted(0.1, payload())).prop_map(
        |(at_ns, kind, class, process, (peer, tag, call, back), payload, meta)| {
            let call = call.map(CallKey);
            // The distance to the cause, until the seq is known.
            let cause = back.map(Seq);
            let event =
                NewEvent { class, peer, tag: tag.map(Atom::new), call, cause, ..NewEvent::new(at_ns, kind, process) };
            Row { event, payload, meta: meta.unwrap_or_default() }
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        60 => row().prop_map(|row| Op::Append(Box::new(row))),
        2 => Just(Op::Seal),
        1 => (0u8..=100).prop_map(Op::Evict),
        1 => Just(Op::CompactAndOpen),
        4 => Just(Op::Checkpoint),
        2 => (0u8..=100).prop_map(Op::Branch),
        1 => Just(Op::SaveAndOpen),
        1 => Just(Op::Clone),
    ]
}

fn filter(len: u64) -> impl Strategy<Value = Filter> {
    let range = (0..=len, 0..=len).prop_map(|(a, b)| a.min(b)..a.max(b));
    let ranges = vec(range, 0..3).prop_map(|mut ranges| {
        ranges.sort_by_key(|r| (r.start, r.end));
        ranges.dedup_by(|b, a| b.start < a.end);
        ranges
    });
    let time = option::weighted(0.3, (-100i64..2_000, 0i64..2_000).prop_map(|(from, n)| from..from + n));
    let actors = || vec(actor(), 0..3);
    let first = (ranges, time, vec(kind(), 0..3), vec(proptest::sample::select(Class::ALL), 0..2));
    let tags = vec(proptest::sample::select(vec!["a", "b", "unknown"]).prop_map(Atom::new), 0..2);
    let second = (actors(), actors(), actors(), tags);
    let rare = |values: std::ops::Range<u64>| option::weighted(0.15, values);
    let third = (rare(0..14), rare(0..len.max(1)), option::weighted(0.2, 0u32..30));
    (first, second, third, 0u8..64).prop_map(|(a, b, c, without)| {
        // Most filters have few conditions, or nothing would match.
        let keep = |bit: u8| without >> bit & 1 == 0;
        let some = |bit, actors: Vec<Actor>| if keep(bit) { actors } else { Vec::new() };
        Filter {
            ranges: a.0,
            time_ns: a.1,
            kinds: if keep(0) { a.2 } else { Vec::new() },
            classes: if keep(1) { a.3 } else { Vec::new() },
            processes: some(2, b.0),
            peers: some(3, b.1),
            involved: some(4, b.2),
            tags: if keep(5) { b.3 } else { Vec::new() },
            call: c.0.map(CallKey),
            cause: c.1.map(Seq),
            size_bytes_min: c.2,
        }
    })
}

fn run(ops: &[Op]) -> (Recording, Model) {
    run_or_keep(ops, true)
}

/// As [`run`]; without `forgets` an eviction only moves the seq before which no branch begins.
fn run_or_keep(ops: &[Op], forgets: bool) -> (Recording, Model) {
    let mut first = 0;
    let mut recording = Recording::default();
    let mut model = Model::default();
    for op in ops {
        match op {
            Op::Append(row) => append(&mut recording, &mut model, row),
            Op::Seal => recording.seal(),
            Op::Checkpoint => {
                if recording.len() > recording.keyframes.n_events() {
                    recording.add_checkpoint(recording.len());
                }
            }
            Op::Branch(percent) => {
                let len = recording.len();
                let from = (len > first).then(|| Seq(first + (len - 1 - first) * u64::from(*percent) / 100));
                let from = from.filter(|_| *percent > 0 || first > 0);
                if percent % 2 == 0 {
                    recording.begin_branch(from);
                }
                let mut row = Row::new(0, Kind::Restored, 0);
                row.event.cause = from.map(|from| Seq(len - from.0));
                append(&mut recording, &mut model, &row);
            }
            Op::SaveAndOpen => recording = reopened(&recording),
            Op::CompactAndOpen => recording = compacted(&recording),
            Op::Clone => recording = recording.clone(),
            Op::Evict(percent) => {
                let held: Vec<_> = recording.segments.iter().filter(|s| s.head.start >= first).cloned().collect();
                let n_segments = held.len() * usize::from(*percent) / 100;
                if n_segments > 0 {
                    first = held[n_segments - 1].head.end();
                    if forgets {
                        recording.evict(n_segments);
                    }
                }
            }
        }
    }
    (recording, model)
}

/// Appends a row whose cause is still a distance.
fn append(recording: &mut Recording, model: &mut Model, row: &Row) {
    let seq = Seq(recording.len());
    let cause = row.event.cause.and_then(|back| seq.0.checked_sub(back.0)).map(Seq);
    let new = NewEvent { cause, payload: &row.payload, meta: &row.meta, ..row.event };
    assert_eq!(recording.append(&new), Ok(seq));
    model.events.push(Event {
        seq,
        at_ns: new.at_ns,
        kind: new.kind,
        class: new.class,
        process: new.process,
        peer: new.peer,
        tag: new.tag,
        call: new.call,
        cause,
        size_bytes: row.payload.len() as u32,
    });
    model.payloads.push(row.payload.clone());
    model.metas.push(row.meta.clone());
}

fn check_rows(recording: &Recording, model: &Model) {
    assert_eq!(recording.len(), model.events.len() as u64);
    let first = recording.first().0 as usize;
    assert_eq!((recording.evicted().n_events, recording.n_held()), (first as u64, (model.events.len() - first) as u64));
    let n_by_kind: u64 = recording.evicted().kinds.iter().map(|(_, n)| n).sum();
    assert_eq!(n_by_kind, first as u64);
    assert!(model.events[..first].iter().all(|event| recording.event(event.seq).is_none()));
    for (event, (payload, meta)) in model.events.iter().zip(model.payloads.iter().zip(&model.metas)).skip(first) {
        assert_eq!(recording.event(event.seq).as_ref(), Some(event));
        assert_eq!(recording.payload(event.seq).unwrap_or_default(), *payload);
        assert_eq!(recording.meta(event.seq), etf::decode(meta).ok());
    }
    assert_eq!(recording.event(Seq(recording.len())), None);
    let mut actors = Vec::new();
    for actor in model.events.iter().flat_map(|e| [Some(e.process), e.peer]).flatten() {
        if !actors.contains(&actor) {
            actors.push(actor);
        }
    }
    assert_eq!(recording.actors(), actors);
}

impl Model {
    /// What of the events from `first` on matches.
    fn matching(&self, first: Seq, filter: &Filter) -> Vec<Event> {
        self.events[first.0 as usize..].iter().copied().filter(|event| filter.matches(event)).collect()
    }
}

fn check_groups(recording: &Recording, model: &Model, filter: &Filter, width_ns: i64) {
    let events = model.matching(recording.first(), filter);
    let origin_ns = 700;
    let stretch = |at_ns: i64| {
        let number = (i128::from(at_ns) - i128::from(origin_ns)).div_euclid(width_ns.into());
        number.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    };
    let selection = Selection::of(filter);
    for by in [By::Kind, By::Class, By::Tag, By::Process, By::Peer, By::Pair, By::Time { origin_ns, width_ns }] {
        let key = |event: &Event| match by {
            By::Kind => GroupKey::Kind(event.kind),
            By::Class => GroupKey::Class(event.class),
            By::Tag => GroupKey::Tag(event.tag),
            By::Process => GroupKey::Actor(Some(event.process)),
            By::Peer => GroupKey::Actor(event.peer),
            By::Pair => GroupKey::Pair(event.process, event.peer),
            By::Time { .. } => GroupKey::Time(stretch(event.at_ns)),
        };
        let mut expected = std::collections::BTreeMap::new();
        events.iter().for_each(|event| *expected.entry(key(event)).or_insert(0) += 1);
        let all = recording.group(&selection, by, usize::MAX);
        assert_eq!((all.n_groups, all.n_events), (expected.len() as u64, events.len() as u64));
        assert_eq!(all.largest.len(), expected.len(), "a group for each, once");
        let some = recording.group(&selection, by, 2);
        let sizes = |groups: &Groups| {
            let mut sizes: Vec<u64> = groups.largest.iter().map(|(_, n)| *n).collect();
            sizes.sort_unstable_by_key(|n| std::cmp::Reverse(*n));
            sizes.truncate(2);
            sizes
        };
        assert_eq!((sizes(&some), some.n_groups, some.n_events), (sizes(&all), all.n_groups, all.n_events));
        assert_eq!(all.largest.into_iter().collect::<std::collections::BTreeMap<_, u64>>(), expected, "by {by:?}");
    }
    let mut by_size: Vec<(i64, Seq)> = events.iter().map(|e| (i64::from(e.size_bytes), e.seq)).collect();
    by_size.sort_by_key(|(size, seq)| (std::cmp::Reverse(*size), *seq));
    by_size.truncate(7);
    assert_eq!(recording.largest(&selection, Number::SizeBytes, 7), by_size);
    let since_cause = |event: &Event| {
        let cause = event.cause.filter(|cause| *cause >= recording.first())?;
        Some(event.at_ns.saturating_sub(model.events[cause.0 as usize].at_ns))
    };
    let numbers = |number| {
        let mut all = Vec::new();
        recording.numbers(&selection, number, |some| all.extend_from_slice(some));
        all
    };
    assert_eq!(numbers(Number::AtNs), events.iter().map(|e| e.at_ns).collect::<Vec<_>>());
    assert_eq!(numbers(Number::SizeBytes), events.iter().map(|e| i64::from(e.size_bytes)).collect::<Vec<_>>());
    assert_eq!(numbers(Number::SinceCauseNs), events.iter().filter_map(since_cause).collect::<Vec<_>>());
}

/// Whether a person who reads the term sees `text` in one of its atoms, binaries and strings.
fn shows(term: &Term, text: &str, is_any_case: bool) -> bool {
    let fold = |bytes: &[u8]| if is_any_case { bytes.to_ascii_lowercase() } else { bytes.to_vec() };
    let has = |bytes: &[u8], text: &[u8]| fold(bytes).windows(text.len()).any(|w| w == fold(text));
    let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    let inside = |term: &Term| shows(term, text, is_any_case);
    match term {
        Term::Atom(atom) => has(atom.as_str().as_bytes(), text.as_bytes()),
        Term::Tuple(items) => items.iter().any(inside),
        Term::Map(map) => map.entries().iter().any(|(key, value)| inside(key) || inside(value)),
        Term::List(list) => {
            let byte = |item: &Term| if let Term::Int(n) = item { u8::try_from(*n).ok() } else { None };
            let string: Option<Vec<u8>> = list.items.iter().map(byte).collect();
            let is_string = |bytes: &Vec<u8>| {
                list.tail == Term::Nil && (has(bytes, text.as_bytes()) || latin1.is_some_and(|text| has(bytes, &text)))
            };
            string.as_ref().is_some_and(is_string) || list.items.iter().any(inside) || inside(&list.tail)
        }
        term => term.as_binary().is_some_and(|bytes| has(bytes, text.as_bytes())),
    }
}

fn check_texts(recording: &Recording, model: &Model, filter: &Filter, words: &[(&str, bool)]) {
    let texts: Vec<Text> = words.iter().map(|(text, any_case)| Text::new(text, *any_case).unwrap()).collect();
    let selection = Selection::of(filter).texts(&texts);
    let terms = |event: &Event| {
        let tag = event.tag.map(Term::Atom);
        tag.into_iter().chain(etf::decode(&model.payloads[event.seq.0 as usize]).ok()).collect::<Vec<_>>()
    };
    let mut events = model.matching(recording.first(), filter);
    events.retain(|event| {
        let terms = terms(event);
        words.iter().all(|(text, any_case)| terms.iter().any(|term| shows(term, text, *any_case)))
    });
    let expected: Vec<Seq> = events.iter().map(|event| event.seq).collect();
    assert_eq!(recording.seqs(&selection).collect::<Vec<_>>(), expected, "{words:?}");
    let mut backwards: Vec<Seq> = recording.seqs(&selection).rev().collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
    assert_eq!(recording.count_of(&selection), expected.len() as u64);
    assert_eq!(recording.group(&selection, By::Pair, 0).n_events, expected.len() as u64);
    // Each step leaves less, and the last one what matches.
    let steps = recording.explain(&selection);
    assert_eq!(steps.first().unwrap().n_events, recording.n_held());
    assert_eq!(steps.last().unwrap().n_events, expected.len() as u64);
    assert!(steps.windows(2).all(|w| w[0].n_events >= w[1].n_events && w[0].n_parts >= w[1].n_parts));
}

fn check_scan(recording: &Recording, model: &Model, filter: &Filter) {
    let expected = model.matching(recording.first(), filter);
    assert_eq!(recording.scan(filter).collect::<Vec<_>>(), expected);
    let mut backwards: Vec<Event> = recording.scan(filter).rev().collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
    assert_eq!(recording.count(filter), expected.len() as u64);
    // From both ends in turn.
    let (mut scan, mut front, mut back) = (recording.scan(filter), Vec::new(), Vec::new());
    while let Some(event) = scan.next() {
        front.push(event);
        back.extend(scan.next_back());
    }
    front.extend(back.into_iter().rev());
    assert_eq!(front, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn rows_scans_and_seeks_agree(
        (ops, filters, times) in vec(op(), 0..150).prop_flat_map(|ops| {
            let len = ops.len() as u64;
            (Just(ops), vec(filter(len), 8), vec(time_ns(), 8))
        })
    ) {
        let (recording, model) = run(&ops);
        check_rows(&recording, &model);
        for filter in &filters {
            check_scan(&recording, &model, filter);
        }
        for branch in recording.branches() {
            let lineage = recording.lineage(branch.id);
            for at_ns in &times {
                let mut seqs = lineage.iter().flat_map(|r| r.clone()).map(Seq);
                let expected = seqs.find(|seq| model.events[seq.0 as usize].at_ns >= *at_ns);
                prop_assert_eq!(recording.seek_time(&lineage, *at_ns), expected);
            }
        }
    }

    #[test]
    fn groups_numbers_and_texts_agree(
        (ops, filters, width_ns, words) in vec(op(), 0..150).prop_flat_map(|ops| {
            let len = ops.len() as u64;
            let width_ns = prop_oneof![1i64..3, 100i64..1_000, Just(1 << 40)];
            (Just(ops), vec(filter(len), 6), width_ns, vec(vec((word(), any::<bool>()), 1..3), 6))
        })
    ) {
        let (recording, model) = run(&ops);
        check_groups(&recording, &model, &Filter::default(), width_ns);
        for (filter, words) in filters.iter().zip(&words) {
            check_groups(&recording, &model, filter, width_ns);
            check_texts(&recording, &model, filter, words);
            check_texts(&recording, &model, &Filter::default(), words);
        }
    }

    #[test]
    fn materialise_equals_the_fold_from_the_start(ops in vec(op(), 0..120)) {
        let (recording, _) = run(&ops);
        // What was evicted is folded all the same: in a recording that forgot nothing.
        let (whole, _) = run_or_keep(&ops, false);
        for seq in (recording.first().0..recording.len()).map(Seq) {
            prop_assert_eq!(recording.materialise(seq), fold_from_start(&whole, seq), "at {:?}", seq);
        }
    }
}
