//! The applications under test live through their stories, without a debugger: what a debugger will tell about them
//! has happened.

use crate::apps::App;
use crate::ejabberd::{Client, USER};
use crate::node::{Setup, TestNode};
use crate::otp::each_otp;

/// The Elixir module that tells the stories, in Erlang's syntax.
const STORY: &str = "'Elixir.Orders.Story'";

each_otp! {
    fn the_shop_lives_through_its_scenarios(otp) {
        let node = TestNode::start(otp, App::Shop);
        assert_eq!(node.shown("shop:run(buy)"), "{stock,107}");
        assert_eq!(node.shown("shop:run(late_call)"), "{stock,106}");
        assert_eq!(node.shown("shop:run(door)"), "shipped");
        assert_eq!(node.shown("shop:run(news)"), "{[shop_news],[<<\"winter\">>,<<\"sale\">>]}");
        assert_eq!(node.shown("shop:run(lost_calls)"), "ok");
        assert_eq!(node.shown("shop:run(secret)"), "ok");
        assert_eq!(node.shown("begin {Old, New} = shop:run({crash, {boom, 7}}), Old =/= New end"), "true");
        node.wait_for_log("{boom,7}");
        assert!(node.shown("shop:run({ping, 1000})").starts_with("{us,"));
        node.leftovers().assert_none();
    }

    fn the_archive_is_as_large_as_it_is_told(otp) {
        let node = Setup::new(otp, App::Shop).arg("-shop").arg("archive_kb").arg("500").start();
        let kbytes = || node.eval("erts_debug:flat_size(sys:get_state(archive)) * 8 div 1024").as_int().expect("a size");
        assert!((450..=550).contains(&kbytes()), "{} KB", kbytes());
        node.run("shop:run({archive_kb, 64})");
        assert!((58..=70).contains(&kbytes()), "{} KB", kbytes());
    }

    fn the_shop_is_busy_without_help(otp) {
        let node = Setup::new(otp, App::Shop)
            .arg("-shop").arg("scenarios").arg("[buy,crash]").arg("every_ms").arg("1")
            .start();
        node.run("Wait = fun Wait() -> case sys:get_state(shop_driver) of
                #{n_done := N} when N >= 4 -> ok;
                _ -> receive after 5 -> Wait() end end end, Wait()");
    }

    fn orders_tell_their_stories(otp) {
        let node = TestNode::start(otp, App::Orders);
        let told = |chapter: &str| node.shown(&format!("{STORY}:run({chapter})"));
        assert_eq!(told("order"), node.shown("#{cents => 1250, order => {<<\"ann\">>, 1}}"));
        assert_eq!(told("timeout"), "11");
        assert_eq!(told("count"), "105");
        assert_eq!(told("tasks"), node.shown("[55, 210]"));
        assert_eq!(told("settings"), "true");
        assert!(told("crash").starts_with("{<0."));
        node.wait_for_log("payment_lost");
        node.leftovers().assert_none();
    }

    fn ejabberd_lets_a_client_in(otp) {
        let node = TestNode::start(otp, App::Ejabberd);
        let resources = format!("ejabberd_sm:get_user_resources(<<\"{USER}\">>, <<\"localhost\">>)");
        assert_eq!(node.shown(&resources), "[]");
        let mut client = Client::login(&node);
        let resource = client.jid.rsplit('/').next().expect("a full address").to_string();
        assert_eq!(node.shown(&resources), format!("[<<\"{resource}\">>]"));
        client.talk("hello");
        node.leftovers().assert_none();
    }
}
