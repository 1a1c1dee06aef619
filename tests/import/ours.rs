//! What is our own on a live node makes no events: processes spawned from our node, those that we name, what is
//! sent to and by them, and the calls that they make.

use cinema::model::{Atom, Kind, Origin, Pid, Reference, Term};
use cinema::sandbox::trace::look::Introduction;
use expect_test::expect;

use super::listing;
use super::stream::{Stream, pid};

fn on(node: &str, id: u32) -> Term {
    Term::Pid(Pid { serial: 0, id, origin: Origin::intern(Atom::new(node), 1).expect("there is room") })
}

/// `{trace_ts, Who, ..Rest, Stamp}`.
fn message(stream: &Stream, who: Term, rest: Vec<Term>) -> Term {
    let stamp = Term::tuple([Term::Int(stream.now_ns()), Term::Int(0)]);
    Term::tuple([vec![Term::atom("trace_ts"), who], rest, vec![stamp]].concat())
}

#[test]
fn processes_of_our_node_and_theirs_are_left_out() {
    let mut stream = Stream::new();
    stream.recogniser.ignore_node(Atom::new("cinema@h"));
    let mfa = Term::tuple([Term::atom("erpc"), Term::atom("execute_call"), Term::Nil]);
    let spawned = message(&stream, pid(7).into(), vec![Term::atom("spawned"), on("cinema@h", 1), mfa]);
    stream.feed_term(&spawned);
    stream.feed(
        "<0.7.0>,link,<0.2.0>
         <0.2.0>,getting_linked,<0.7.0>
         <0.7.0>,spawn,<0.8.0>,{m,f,[]}
         <0.8.0>,spawned,<0.7.0>,{m,f,[]}
         <0.8.0>,send,{system,{<0.8.0>,[alias|#Ref<0.1.2.3>]},get_state},<0.2.0>
         <0.2.0>,'receive',{system,{<0.8.0>,[alias|#Ref<0.1.2.3>]},get_state}
         <0.2.0>,send,{[alias|#Ref<0.1.2.3>],state},#Ref<0.1.2.3>
         <0.8.0>,'receive',{[alias|#Ref<0.1.2.3>],state}
         <0.8.0>,send,secret,<0.2.0>
         <0.2.0>,'receive',secret
         <0.2.0>,'receive',{code_call,<0.8.0>,which}
         <0.2.0>,'receive',plain,{nonode@nohost,<0.8.0>}
         <0.8.0>,register,helper
         <0.8.0>,call,{m,handle_info,[a,b]}
         <0.8.0>,gc_minor_start,[]
         <0.2.0>,send,{thanks},<0.8.0>
         <0.8.0>,exit,normal
         <0.2.0>,'receive',{'DOWN',#Ref<0.1.2.4>,process,<0.8.0>,normal}
         <0.2.0>,'receive',{'EXIT',<0.8.0>,normal}
         <0.7.0>,open,<0.7.0>,tcp_inet",
    );
    let to_us = message(&stream, pid(2).into(), vec![Term::atom("send"), Term::atom("hello"), on("cinema@h", 9)]);
    stream.feed_term(&to_us);
    assert_eq!(listing(stream.recording()), "");
    // What others do stays, and so does a process that has the pid later.
    stream.feed(
        "<0.3.0>,send,secret,<0.2.0>
         <0.2.0>,'receive',secret
         <0.8.0>,spawned,<0.3.0>,{m,f,[]}
         <0.8.0>,send,mine,<0.2.0>",
    );
    expect![[r#"
        0 0us send <0.3.0> class=info peer=<0.2.0> tag=secret secret
        1 1us receive <0.2.0> class=info peer=<0.3.0> tag=secret cause=0 secret
        2 2us spawn <0.8.0> peer=<0.3.0> tag=m #{args => [],function => f,module => m}
        3 3us send <0.8.0> class=info peer=<0.2.0> tag=mine mine
    "#]]
    .assert_eq(&listing(stream.recording()));
}

#[test]
fn a_callback_that_answers_us_is_none_of_the_recording() {
    let mut stream = Stream::new();
    stream.recogniser.ignore(pid(9));
    stream.feed(
        "<0.2.0>,'receive',{'$gen_call',{<0.9.0>,[alias|#Ref<0.1.2.3>]},which_children},{nonode@nohost,<0.9.0>}
         <0.2.0>,call,{m,handle_call,[which_children,{<0.9.0>,[alias|#Ref<0.1.2.3>]},1]}
         <0.2.0>,send,{log,asked},<0.3.0>
         <0.2.0>,return_from,{m,handle_call,3},{reply,[],2}
         <0.2.0>,send,{[alias|#Ref<0.1.2.3>],[]},#Ref<0.1.2.3>
         <0.2.0>,call,{m,handle_cast,[go,2]}
         <0.2.0>,return_from,{m,handle_cast,2},{noreply,3}",
    );
    expect![[r#"
        0 0us state_change <0.2.0> 1
        1 1us send <0.2.0> class=info peer=<0.3.0> tag=log {log,asked}
        2 2us state_change <0.2.0> 2
        3 4us handle_start <0.2.0> class=cast tag=go go
        4 5us state_change <0.2.0> class=cast tag=go cause=3 3
        5 5us handle_end <0.2.0> class=cast tag=go cause=3
    "#]]
    .assert_eq(&listing(stream.recording()));
    stream.recogniser.introduce(&Introduction::of(pid(9)), 0);
    stream.recogniser.ignored_ended(pid(9));
    stream.feed("<0.2.0>,'receive',{'DOWN',#Ref<0.1.2.4>,process,<0.9.0>,normal}");
    assert!(!listing(stream.recording()).contains("<0.9.0>"));
}

#[test]
fn a_reply_to_a_reference_of_our_node_is_left_out() {
    let mut stream = Stream::new();
    stream.recogniser.ignore_node(Atom::new("cinema@h"));
    let origin = Origin::intern(Atom::new("cinema@h"), 1).expect("there is room");
    let reference = Term::Ref(Reference { origin, n_words: 3, words: [1, 2, 3, 0, 0] }.into());
    let answer = Term::tuple([reference.clone(), Term::atom("ok")]);
    let reply = message(&stream, pid(2).into(), vec![Term::atom("send"), answer, reference]);
    stream.feed_term(&reply);
    assert_eq!(stream.recording().count(&cinema::model::Filter::kind(Kind::Send)), 0);
    assert_eq!(stream.recording().len(), 0);
}
