//! Elixir's own behaviours, traced while the test runs (`tests/data/market.exs`).

use cinema::analysis::latency::{CallOutcome, calls};
use cinema::analysis::process;
use cinema::analysis::tree::{TreeNode, tree};
use cinema::model::{Actor, Atom, Filter, Kind, Seq, Style};
use cinema::store::Recording;
use expect_test::expect;

use super::beam::elixir;
use super::{of_kind, recorded};

/// The market's trace; `None` where there is no Elixir.
fn market() -> Option<Recording> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    elixir(folder.path(), "market.exs", &["market.trace"])?;
    let (mut recording, report) = recorded(&folder.path().join("market.trace"));
    assert_eq!((report.defects.n_total, report.n_late, report.is_elixir), (0, 0, true));
    recording.info.is_elixir = true;
    Some(recording)
}

/// Without what differs from run to run.
fn anonymous(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("PID<") {
        let end = rest[at..].find('>').map_or(rest.len(), |n| at + n);
        out += &rest[..at];
        out += "PID<";
        rest = &rest[end..];
    }
    out + rest
}

fn drawn(nodes: &[TreeNode], depth: usize) -> String {
    let line = |node: &TreeNode| {
        let own = format!("{}{} {}\n", "  ".repeat(depth), anonymous(&node.name), node.behaviour.as_str());
        format!("{own}{}", drawn(&node.children, depth + 1))
    };
    nodes.iter().map(line).collect()
}

fn named(recording: &Recording, name: &str) -> Actor {
    let name = Some(Atom::new(name));
    of_kind(recording, Kind::Register).into_iter().find(|event| event.tag == name).expect("it is registered").process
}

#[test]
fn the_tree_of_an_elixir_application() {
    let Some(recording) = market() else { return };
    // Before the first child is taken down.
    let takes_down = |kind: Kind| {
        of_kind(&recording, kind).into_iter().find(|event| event.tag == Some(Atom::new("terminate_child")))
    };
    let at = takes_down(Kind::Send).expect("a child was terminated").seq;
    expect![[r#"
        Market.Supervisor supervisor
          Market.Registry supervisor
            Market.Registry.PIDPartition0 gen_server
          Market.Carts supervisor
            cart-7 #PID<> gen_server
          Market.Tasks supervisor
          Market.Stock gen_server
          Market.Partitions supervisor
            Agent.Server #PID<> gen_server
            Agent.Server #PID<> gen_server
    "#]]
    .assert_eq(&drawn(&tree(&recording, at, false).roots, 0));
}

#[test]
fn states_of_servers_and_agents_are_elixir_terms() {
    let Some(recording) = market() else { return };
    let states = |actor: Actor| -> String {
        let changes = process::history(&recording, &[], actor);
        let line = |row: &process::StateRow| {
            let state = recording.term(row.seq).expect("a state").display(Style::elixir()).to_string();
            let tag = row.tag.map_or(String::new(), |tag| format!(" {tag:?}"));
            format!("{}{tag} [{}]: {state}\n", row.class.as_str(), row.changed.join(" "))
        };
        changes.iter().map(line).collect()
    };
    expect![[r#"
        init Elixir.Agent.Server []: %{apples: 3}
        call update [apples]: %{apples: 2}
        cast cast [pears]: %{apples: 2, pears: 1}
    "#]]
    .assert_eq(&states(named(&recording, "Elixir.Market.Stock")));
    let cart = of_kind(&recording, Kind::Spawn).into_iter().find(|spawn| spawn.tag == Some(Atom::new("Elixir.Cart")));
    expect![[r#"
        init Elixir.Cart []: %Cart{items: %{7 => 0}, total: 0}
        continue warm [total]: %Cart{items: %{7 => 0}, total: 1}
        call add [items.apple total]: %Cart{items: %{7 => 0, :apple => 3}, total: 4}
    "#]]
    .assert_eq(&states(cart.expect("a cart").process));
}

#[test]
fn a_task_is_a_call_that_is_awaited() {
    let Some(recording) = market() else { return };
    let tasks: Vec<_> =
        calls(&recording, &[]).into_iter().filter(|call| call.tag == Some(Atom::new("Elixir.Market"))).collect();
    let [alone, supervised] = &tasks[..] else { panic!("two tasks: {tasks:?}") };
    let client = of_kind(&recording, Kind::Spawn)[0].process;
    for task in [alone, supervised] {
        assert_eq!((task.caller, task.outcome), (Some(client), CallOutcome::Received));
        assert!(task.reply_seq.is_some() && task.total_ns.is_some());
    }
    let supervisor_of = |actor: Option<Actor>| {
        let actor = actor.expect("a task is a process");
        process::process(&recording, actor, Seq(recording.len() - 1)).expect("it is known").supervisor
    };
    assert_eq!(supervisor_of(alone.callee), None);
    assert_eq!(supervisor_of(supervised.callee), Some(named(&recording, "Elixir.Market.Tasks")));
    assert_eq!(recording.count(&Filter::kind(Kind::Timeout)), 0);
}

#[test]
fn children_of_elixirs_supervisors_come_and_go_on_request() {
    let Some(recording) = market() else { return };
    let changes = of_kind(&recording, Kind::ChildSpecChange).into_iter().filter(|change| change.cause.is_some());
    let line = |change: cinema::model::Event| {
        let payload = recording.term(change.seq).expect("a payload").display(Style::elixir()).to_string();
        format!("{}\n", anonymous(&payload))
    };
    expect![[r#"
        %{module: Cart, op: :added, restart: :permanent, type: :worker}
        %{op: :added, restart: :temporary, type: :worker}
        %{op: :added, type: :worker}
        %{op: :terminated}
        %{id: :stock, op: :terminated}
        %{id: :stock, op: :removed}
    "#]]
    .assert_eq(&changes.map(line).collect::<String>());
    assert_eq!(of_kind(&recording, Kind::SupervisorRestart), []);
}
