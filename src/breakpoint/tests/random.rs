//! On random systems, with branches: the hits of the run are the hits of the search.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::Filter;

/// One thing that happens to a random system.
#[derive(Clone, Debug)]
enum Happening {
    Event {
        process: u32,
        kind: Kind,
        tag: &'static str,
        peer: u32,
        call: u64,
        class: Class,
        balance: i64,
    },
    /// A branch from the event at this share of the recording.
    Restore(prop::sample::Index),
}

fn happening() -> impl Strategy<Value = Happening> {
    const KINDS: &[Kind] = &[
        Kind::Spawn,
        Kind::Register,
        Kind::Unregister,
        Kind::Exit,
        Kind::StateChange,
        Kind::StateChange,
        Kind::Send,
        Kind::Receive,
        Kind::Down,
        Kind::ExitSignal,
        Kind::SupervisorRestart,
    ];
    let names = prop::sample::select(vec!["", "a", "b", "EXIT"]);
    let classes = prop::sample::select(vec![Class::None, Class::Call, Class::Cast]);
    let event = (1u32..4, prop::sample::select(KINDS), names, 0u32..4, 0u64..3, classes, 0i64..4);
    prop_oneof![
        20 => event.prop_map(|(process, kind, tag, peer, call, class, balance)| {
            Happening::Event { process, kind, tag, peer, call, class, balance }
        }),
        1 => any::<prop::sample::Index>().prop_map(Happening::Restore),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let name = || prop::sample::select(vec!["a", "b"]).prop_map(Atom::new);
    let selector = prop_oneof![
        3 => Just(Selector::Any),
        1 => (1u32..4).prop_map(|id| Selector::Id(process(id).id)),
        1 => (1u32..4).prop_map(|id| Selector::Actor(process(id))),
        3 => name().prop_map(Selector::Name),
        2 => name().prop_map(Selector::Module),
    ];
    let test = prop_oneof![
        Just(Test::Changed),
        (0i64..4).prop_map(|n| Test::AtLeast(Term::Int(n))),
        (0i64..4).prop_map(|n| Test::Equal(Term::Int(n))),
    ];
    let tag = prop::option::of(prop::sample::select(vec!["a", "EXIT", "DOWN"]).prop_map(Atom::new));
    let class = prop::option::of(Just(Class::Call));
    let point = prop::sample::select(vec![MessagePoint::Sent, MessagePoint::Arrived]);
    let what = prop_oneof![
        test.prop_map(|test| What::State { path: Path::parse("balance").expect("a path"), test }),
        (tag, class, point).prop_map(|(tag, class, point)| What::Message { tag, class, point }),
        prop::sample::select(vec!["spawn", "end", "restart", "register", "unregister"])
            .prop_map(|name| What::Process { kinds: event_kinds(name).expect("a known event") }),
        Just(What::Result(CallResult::Exit)),
        (1u32..4).prop_map(|id| What::Filter(Filter::default().process(process(id)))),
    ];
    (selector, what).prop_map(|(process, what)| Condition { process, what })
}

fn append(recording: &mut Recording, table: &mut Table, new: &NewEvent<'_>) -> Vec<Seq> {
    let hits = table.check(&Candidate::coming(new, recording)).0;
    let seq = recording.append(new).expect("room");
    table.observe(&recording.event(seq).expect("just appended"));
    hits.iter().map(|hit| hit.event.seq).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_hits_of_a_run_are_the_hits_of_the_search(happenings in vec(happening(), 1..60), condition in condition()) {
        let mut recording = Recording::new(RecordingInfo::default());
        let mut table = Table::new();
        table.add("", condition.clone(), Action::Pause, false).expect("room");
        let mut live: Vec<Seq> = Vec::new();
        for happening in &happenings {
            match happening {
                Happening::Event { process: id, kind, tag, peer, call, class, balance } => {
                    let payload = bytes(&format!("#{{balance => {balance}}}"));
                    live.extend(append(&mut recording, &mut table, &NewEvent {
                        tag: (!tag.is_empty()).then(|| Atom::new(tag)),
                        peer: (*peer > 0).then(|| process(*peer)),
                        call: (*call > 0).then_some(CallKey(*call)),
                        class: *class,
                        payload: if *kind == Kind::StateChange { &payload } else { &[] },
                        ..NewEvent::new(0, *kind, process(*id))
                    }));
                }
                Happening::Restore(_) if recording.is_empty() => {}
                Happening::Restore(index) => {
                    recording.begin_branch(Some(Seq(index.index(recording.len() as usize) as u64)));
                    table.follow(&recording);
                    live.extend(append(&mut recording, &mut table, &NewEvent::new(0, Kind::Restored, process(1))));
                }
            }
        }

        let branch = recording.current_branch();
        let line = recording.lineage(branch);
        live.retain(|seq| line.iter().any(|range| range.contains(&seq.0)));
        let found = Search::new(&recording, branch, &condition).all(&line, usize::MAX).expect("no script");
        prop_assert_eq!(found.iter().map(|event| event.seq).collect::<Vec<_>>(), live.clone(), "{}", condition);

        let past = Past { recording: &recording, branch, line: &line };
        let (mut backwards, mut at) = (Vec::new(), None);
        while let Some((event, _)) = table.prev_hit(past, at).expect("no script") {
            backwards.insert(0, event.seq);
            at = Some(event.seq);
        }
        prop_assert_eq!(backwards, live);
    }
}
