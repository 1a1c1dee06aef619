//! The distribution client on nodes of both releases: it comes, asks, goes, and nothing is left.

use std::time::Duration;

use cinema::model::Term;
use cinema::sandbox::beam::dist::{Config, Cookie, Machine, Node, Target};

use crate::apps::App;
use crate::node::{Setup, TestNode};
use crate::otp::each_otp;

const WAIT: Duration = Duration::from_secs(10);

fn connect(node: &TestNode) -> Node {
    let target = Target::parse(&node.address(), false, &Machine::here()).expect("a name");
    let cookie = Cookie::from_text(node.cookie()).expect("a cookie");
    let mut config = Config::new(target, cookie, Machine::here());
    config.epmd_port = node.epmd_port().unwrap_or(config.epmd_port);
    Node::connect(&config).unwrap_or_else(|failure| panic!("{failure}"))
}

each_otp! {
    fn a_client_comes_and_goes(otp) {
        for setup in [Setup::new(otp, App::None), Setup::new(otp, App::None).long_names(), Setup::new(otp, App::None).without_epmd()] {
            let node = setup.start();
            let client = connect(&node);
            assert_eq!(client.call("erlang", "whereis", vec![Term::atom("nobody")], WAIT), Ok(Term::atom("undefined")));
            assert_eq!(node.leftovers().categories(), ["connections"]);
            drop(client);
            node.settled(WAIT).assert_none();
        }
    }
}
