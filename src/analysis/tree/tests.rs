//! What `analysis::tree` finds in small recordings that are made by hand.

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::fixture::Fixture;

fn check(tree: &SupervisionTree, expected: Expect) {
    fn lines(node: &TreeNode, depth: usize, out: &mut String) {
        let flags = match (&node.strategy, node.intensity) {
            (Some(strategy), Some((n, period_s))) => format!(" {strategy}, {n} in {period_s} s"),
            _ => String::new(),
        };
        let restarts = if node.n_restarts > 0 { format!(" restarts {}", node.n_restarts) } else { String::new() };
        out.push_str(&format!("{}{} {:?}{flags}{restarts}\n", "  ".repeat(depth), node.name, node.status));
        node.children.iter().for_each(|child| lines(child, depth + 1, out));
    }
    let mut out = String::new();
    tree.roots.iter().for_each(|root| lines(root, 0, &mut out));
    tree.unsupervised.iter().for_each(|node| lines(node, 0, &mut out));
    expected.assert_eq(&out);
}

#[test]
fn a_tree_shows_the_living_and_on_request_the_dead() {
    let mut fx = Fixture::new();
    let top = fx.spawn("top", Some("top"));
    let init = fx.start_init(top);
    fx.state(init, "#{strategy => one_for_all,intensity => 3,period => 5}");
    fx.end(init);
    let pool = fx.spawn_under(top, "pool", Some("pool"));
    fx.spawn_under(pool, "worker", None);
    let cache = fx.spawn_under(top, "cache", Some("cache"));
    fx.spawn("shell", Some("shell"));
    let end = fx.dies(cache, "{boom,1}", None);
    let (_, last) = fx.restart(top, "cache", end, "cache", Some("cache"));
    check(
        &tree(&fx.rec, last, false),
        expect![[r#"
        top Alive one_for_all, 3 in 5 s
          pool Alive
            worker <0.103.0> Alive
          cache Alive restarts 1
        shell Alive
    "#]],
    );
    check(
        &tree(&fx.rec, last, true),
        expect![[r#"
        top Alive one_for_all, 3 in 5 s
          pool Alive
            worker <0.103.0> Alive
          cache Alive restarts 1
          cache Dead
        shell Alive
    "#]],
    );
}

#[test]
fn what_a_user_built_comes_before_otp() {
    let mut fx = Fixture::new();
    let roots = ["kernel_sup", "top"].map(|name| fx.spawn(name, Some(name)));
    let last = roots.map(|root| fx.spawn_under(root, "worker", None)).map(|worker| fx.start_init(worker))[1];
    let tree = tree(&fx.rec, last, false);
    let names: Vec<&str> = tree.roots.iter().map(|root| root.name.as_str()).collect();
    assert_eq!(names, ["top", "kernel_sup"]);
}
