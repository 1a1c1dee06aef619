//! The handle on a connected node that the rest of the program uses: it blocks, with a time limit on everything, and
//! may be cloned and used by several threads at once. It must not know frames.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};

use super::connect::{self, Config, Established};
use super::control::{self, SpawnRequest, Tie};
use super::error::{CallError, ConnectError};
use super::link::{self, NotSent, Outgoing, Shared};
use super::mailbox::{self, Mailbox};
use super::switchboard::{Answer, Denied, Wants};
use crate::codec::etf;
use crate::codec::walk::RawTerm;
use crate::model::limits::{DIST_CALLS_MAX, DIST_FRAME_BYTES_MAX, DIST_MAILBOXES_MAX, DIST_UNSENT_BYTES_MAX, tripped};
use crate::model::{Atom, Failure, FailureKind, Origin, Outcome, Pid, Reference, Term};

/// The oldest release that we work with.
const OTP_MIN: u32 = 25;
/// Erlang's own default of `net_ticktime`.
const TICKTIME: Duration = Duration::from_secs(60);
/// How long a linked process may take to start.
const SPAWN_WAIT: Duration = Duration::from_secs(5);
/// What a connection may take beyond its deadline before its thread is given up.
const GRACE: Duration = Duration::from_millis(500);

/// A connected node. Cheap to clone; the connection closes when the last clone is dropped, or by
/// [`Node::close`].
#[derive(Clone)]
pub struct Node(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    otp_release: u32,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Handle {
    fn close(&self) {
        self.shared.close();
        let thread = self.thread.lock().expect("no panic holds the thread").take();
        if let Some(thread) = thread {
            // It ends within `FLUSH`; a panic of it was shown when it happened.
            let _ = thread.join();
        }
    }
}

impl Node {
    /// Connects as a hidden node. Errors say what to type next, and come within the deadline.
    pub fn connect(config: &Config) -> Outcome<Node> {
        Node::try_connect(config).map_err(|error| error.failure(&config.target))
    }

    /// [`Node::connect`] with the error to be matched on.
    pub fn try_connect(config: &Config) -> Result<Node, ConnectError> {
        let started = Instant::now();
        let (ready, established) = bounded(1);
        let owned = config.clone();
        let thread = std::thread::Builder::new()
            .name("cinema-dist".to_string())
            .spawn(move || run(&owned, &ready))
            .map_err(|error| ConnectError::Local { error: error.to_string() })?;
        let timeout = || ConnectError::Timeout {
            stage: "waiting for the node's first answers".to_string(),
            deadline: config.deadline,
        };
        let shared = established.recv_timeout(config.deadline + GRACE).map_err(|_| timeout())??;
        let mut handle = Handle { shared, otp_release: 0, thread: Mutex::new(Some(thread)) };
        let left = || config.deadline.saturating_sub(started.elapsed());
        let ask = |module, function, args, left| {
            handle.shared.call(module, function, args, left).map_err(|error| match error {
                CallError::Timeout { .. } => timeout(),
                other => ConnectError::Broken { stage: "at our first question", error: other.to_string() },
            })
        };
        let release = ask("erlang", "system_info", vec![Term::atom("otp_release")], left())?;
        let release = release_number(&release).unwrap_or(0);
        if release < OTP_MIN {
            return Err(ConnectError::OldRelease { release: format!("OTP {release}") });
        }
        if config.ticktime.is_none() {
            let seconds = ask("net_kernel", "get_net_ticktime", Vec::new(), left())?;
            // While it is being changed, the node says so instead.
            if let Some(seconds) = seconds.as_int().and_then(|seconds| u64::try_from(seconds).ok()) {
                handle.shared.set_ticktime(Duration::from_secs(seconds.clamp(1, 86_400)));
            }
        }
        handle.otp_release = release;
        Ok(Node(Arc::new(handle)))
    }

    /// The node's own name.
    pub fn name(&self) -> Atom {
        self.0.shared.peer
    }
    /// The node's incarnation.
    pub fn creation(&self) -> u32 {
        self.0.shared.peer_creation
    }
    /// Where the node was reached.
    pub fn address(&self) -> IpAddr {
        self.0.shared.peer_address
    }
    /// The name that the node gave us.
    pub fn own_name(&self) -> Atom {
        self.0.shared.own_name
    }
    /// 25 and newer.
    pub fn otp_release(&self) -> u32 {
        self.0.otp_release
    }
    /// The pid that our calls come from, and the group leader of what we start.
    pub fn own_pid(&self) -> Pid {
        self.0.shared.base()
    }
    /// A reference that nobody else has.
    pub fn make_ref(&self) -> Reference {
        self.0.shared.make_reference()
    }

    /// Calls a function in a process of its own at the node (`erpc:execute_call/4`) and waits for its value.
    /// Several threads may call at once. After the timeout that process is killed.
    pub fn call(&self, module: &str, function: &str, args: Vec<Term>, timeout: Duration) -> Outcome<Term> {
        Ok(self.try_call(module, function, args, timeout)?)
    }

    /// [`Node::call`] with the error to be matched on.
    pub fn try_call(
        &self,
        module: &str,
        function: &str,
        args: Vec<Term>,
        timeout: Duration,
    ) -> Result<Term, CallError> {
        self.0.shared.call(module, function, args, timeout)
    }

    /// [`Node::call`] without building the value: an external term, 131 first, checked.
    pub fn call_raw(&self, module: &str, function: &str, args: Vec<Term>, timeout: Duration) -> Outcome<Vec<u8>> {
        Ok(self.0.shared.call_raw(module, function, args, timeout)?)
    }

    /// Starts a process at the node that is linked to `mailbox`: it is gone when the mailbox or the connection
    /// is, also by kill -9 of us. Its group leader is [`Node::own_pid`].
    pub fn spawn_link(&self, module: &str, function: &str, args: Vec<Term>, mailbox: &Mailbox) -> Outcome<Pid> {
        Ok(self.0.shared.spawn_link(module, function, &args, mailbox.pid())?)
    }

    /// Sends a message. Never waits: when the node does not read, it fails by limit.
    pub fn send(&self, to: Pid, message: &Term) -> Outcome<()> {
        self.post(control::send(to, &encoded(message)))
    }

    /// Sends a message to a registered name; nobody tells when there is none.
    pub fn send_name(&self, name: &str, message: &Term) -> Outcome<()> {
        let frame = control::send_name(self.own_pid(), self.0.shared.atom(name)?, &encoded(message));
        self.post(frame)
    }

    /// `exit(to, reason)`, as from [`Node::own_pid`].
    pub fn exit(&self, to: Pid, reason: &Term) -> Outcome<()> {
        self.post(control::exit2(self.own_pid(), to, reason))
    }

    /// A new process of ours. When the node is down already, the mailbox says so.
    pub fn mailbox(&self) -> Outcome<Mailbox> {
        let shared = &self.0.shared;
        let (mailbox, inlet) = mailbox::pair(shared.make_pid(), Arc::downgrade(shared));
        let opened = shared.switchboard().open(mailbox.pid(), inlet);
        match opened {
            Ok(()) | Err(Denied::Down) => Ok(mailbox),
            Err(Denied::Full) => {
                let text = tripped("DIST_MAILBOXES_MAX", DIST_MAILBOXES_MAX, "drop mailboxes that are not used");
                Err(Failure::new(FailureKind::Limit, text))
            }
        }
    }

    /// Takes what processes started by us have printed, and how many bytes before it were dropped.
    pub fn take_printed(&self) -> (String, u64) {
        self.0.shared.switchboard().printed.take()
    }

    /// Control messages of the node that nobody here wanted.
    pub fn n_ignored(&self) -> u64 {
        self.0.shared.switchboard().n_ignored
    }

    pub fn is_up(&self) -> bool {
        self.down_reason().is_none()
    }
    /// Why the connection ended.
    pub fn down_reason(&self) -> Option<String> {
        self.0.shared.down_reason()
    }

    /// Writes what waits and closes the connection, within a second; for all clones.
    pub fn close(&self) {
        self.0.close();
    }

    fn post(&self, frame: Vec<u8>) -> Outcome<()> {
        let name = self.name();
        self.0.shared.post(frame).map_err(|error| match error {
            NotSent::Down(reason) => Failure::io(format!("{name:?} is down: {reason}")),
            limit => Failure::new(FailureKind::Limit, format!("nothing is sent to {name:?}: {}", limit_text(&limit))),
        })
    }
}

impl Shared {
    pub fn atom(&self, name: &str) -> Result<Atom, CallError> {
        Atom::try_new(name).map_err(|error| CallError::Name { name: name.to_string(), error: error.to_string() })
    }

    pub fn call(&self, module: &str, function: &str, args: Vec<Term>, timeout: Duration) -> Result<Term, CallError> {
        let call = shown_call(module, function, args.len());
        let bytes = self.call_raw(module, function, args, timeout)?;
        etf::decode(&bytes).map_err(|error| CallError::Unreadable { call, error: error.to_string() })
    }

    pub fn call_raw(
        &self,
        module: &str,
        function: &str,
        args: Vec<Term>,
        timeout: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let call = shown_call(module, function, args.len());
        let request = self.make_reference();
        let (module, function) = (self.atom(module)?, self.atom(function)?);
        let args = [Term::Ref(Arc::new(request)), Term::Atom(module), Term::Atom(function), Term::list(args)];
        let spawn = SpawnRequest {
            request: &request,
            from: self.base(),
            group_leader: self.base(),
            module: self.atom("erpc")?,
            function: self.atom("execute_call")?,
            args: &args,
            tie: Tie::Monitor,
        };
        match self.ask(&call, &spawn, Wants::End, timeout)? {
            Answer::Ended(reason) => value(call, &request, reason),
            other => Err(refusal(call, other)),
        }
    }

    fn spawn_link(&self, module: &str, function: &str, args: &[Term], mailbox: Pid) -> Result<Pid, CallError> {
        let call = shown_call(module, function, args.len());
        let request = self.make_reference();
        let spawn = SpawnRequest {
            request: &request,
            from: mailbox,
            group_leader: self.base(),
            module: self.atom(module)?,
            function: self.atom(function)?,
            args,
            tie: Tie::Link,
        };
        match self.ask(&call, &spawn, Wants::Start { mailbox }, SPAWN_WAIT)? {
            Answer::Spawned(pid) => Ok(pid),
            other => Err(refusal(call, other)),
        }
    }

    /// Sends a spawn request and waits for what it leads to.
    fn ask(&self, call: &str, spawn: &SpawnRequest<'_>, wants: Wants, timeout: Duration) -> Result<Answer, CallError> {
        let call = || call.to_string();
        let (sender, answer) = bounded(1);
        let expected = self.switchboard().expect(*spawn.request, wants, sender);
        expected.map_err(|denied| match denied {
            Denied::Down => CallError::NodeDown { call: call(), reason: self.down_reason().unwrap_or_default() },
            Denied::Full => {
                let limit = tripped("DIST_CALLS_MAX", DIST_CALLS_MAX, "wait for the answers of earlier calls");
                CallError::Limit { call: call(), limit }
            }
        })?;
        if let Err(error) = self.post(spawn.frame()) {
            self.give_up(spawn.request);
            return Err(match error {
                NotSent::Down(reason) => CallError::NodeDown { call: call(), reason },
                limit => CallError::Limit { call: call(), limit: limit_text(&limit) },
            });
        }
        match answer.recv_timeout(timeout) {
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.give_up(spawn.request);
                // It may have come while we gave up.
                answer.try_recv().map_err(|_| CallError::Timeout { call: call(), timeout })
            }
        }
    }
}

/// The socket's thread from the first name look-up to the end of the connection.
fn run(config: &Config, ready: &Sender<Result<Arc<Shared>, ConnectError>>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(ready.send(Err(ConnectError::Local { error: error.to_string() }))),
    };
    runtime.block_on(async {
        let opened = connect::connect(config).await.and_then(|established| open(config, established));
        match opened {
            Ok((stream, shared, outgoing)) => {
                // A caller who has gone away has dropped the receiver: then the connection ends here.
                if ready.send(Ok(Arc::clone(&shared))).is_ok() {
                    link::serve(stream, &shared, outgoing).await;
                }
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    });
    // A name look-up that hangs must not hold us.
    runtime.shutdown_background();
}

type Opened = (tokio::net::TcpStream, Arc<Shared>, tokio::sync::mpsc::UnboundedReceiver<Outgoing>);

fn open(config: &Config, established: Established) -> Result<Opened, ConnectError> {
    let Established { stream, own_name, own_creation, peer_creation } = established;
    let full = || ConnectError::Local { error: "the tables of atoms and nodes are full".to_string() };
    let own_name = Atom::try_new(&own_name).map_err(|_| full())?;
    let peer = config.target.atom().ok_or_else(full)?;
    let origin = Origin::intern(own_name, own_creation).ok_or_else(full)?;
    let salt = getrandom::u32().map_err(|error| ConnectError::Local { error: error.to_string() })?;
    let ticktime = config.ticktime.unwrap_or(TICKTIME);
    let address = stream.peer_addr().map_err(|error| ConnectError::Local { error: error.to_string() })?.ip();
    let (shared, outgoing) = Shared::new((peer, peer_creation, address), (own_name, origin), salt, ticktime);
    Ok((stream, Arc::new(shared), outgoing))
}

/// `"25"` as a number.
fn release_number(release: &Term) -> Option<u32> {
    let digits = release.as_list()?.iter().map(|digit| Some(char::from(u8::try_from(digit.as_int()?).ok()?)));
    digits.collect::<Option<String>>()?.parse().ok()
}

fn encoded(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    etf::encode(term, &mut bytes);
    bytes
}

fn shown_call(module: &str, function: &str, arity: usize) -> String {
    format!("{module}:{function}/{arity}")
}

fn limit_text(error: &NotSent) -> String {
    match error {
        NotSent::Down(reason) => reason.clone(),
        NotSent::Full => tripped("DIST_UNSENT_BYTES_MAX", DIST_UNSENT_BYTES_MAX, "the node does not read what waits"),
        NotSent::TooLong { n_bytes } => {
            let limit = tripped("DIST_FRAME_BYTES_MAX", DIST_FRAME_BYTES_MAX, "send less at once");
            format!("it has {n_bytes} bytes; {limit}")
        }
    }
}

/// Why there is no value.
fn refusal(call: String, answer: Answer) -> CallError {
    match answer {
        Answer::Down(reason) => CallError::NodeDown { call, reason },
        Answer::NotStarted(reason) => CallError::NotStarted { call, reason },
        Answer::TooLong { n_bytes } => {
            let limit = tripped("DIST_FRAME_BYTES_MAX", DIST_FRAME_BYTES_MAX, "ask for less at once");
            CallError::Limit { call, limit: format!("the result has {n_bytes} bytes; {limit}") }
        }
        Answer::Spawned(_) | Answer::Ended(_) => {
            CallError::NotStarted { call, reason: "the node answers something else".to_string() }
        }
    }
}

/// What the end of the process that ran a call says: `{Ref, return, Value}`, `{Ref, throw | exit, Reason}`,
/// `{Ref, error, Reason[, Stack]}` (kernel, erpc.erl), or the reason of its own death.
fn value(call: String, request: &Reference, mut reason: Vec<u8>) -> Result<Vec<u8>, CallError> {
    let unreadable = |error: etf::EtfError| CallError::Unreadable { call: call.clone(), error: error.to_string() };
    let (term, _) = RawTerm::parse(&reason).map_err(unreadable)?;
    let is_ours = |found: RawTerm<'_>| found.as_ref().as_ref() == Some(request);
    let class = |found: RawTerm<'_>| ["error", "exit", "throw"].into_iter().find(|class| found.is_atom(class));
    if let Some([reference, tag, value]) = term.tuple_of()
        && is_ours(reference)
        && tag.is_atom("return")
    {
        // The value is the last element: its bytes end where the whole ends.
        let start = reason.len() - value.bytes().len();
        reason.drain(..start - 1);
        reason[0] = etf::VERSION;
        return Ok(reason);
    }
    let raised = match (term.tuple_of(), term.tuple_of()) {
        (Some([reference, tag, reason]), _) if is_ours(reference) => class(tag).map(|class| (class, reason, None)),
        (_, Some([reference, tag, reason, stack])) if is_ours(reference) => {
            class(tag).map(|class| (class, reason, Some(stack)))
        }
        _ => None,
    };
    let build = |term: RawTerm<'_>| term.to_term().map_err(unreadable);
    Err(match raised {
        Some((class, reason, stack)) => {
            let stack = stack.map(build).transpose()?.unwrap_or(Term::Nil);
            CallError::Raised { call: call.clone(), class, reason: build(reason)?, stack }
        }
        None => CallError::Died { call: call.clone(), reason: build(term)? },
    })
}
