//! told.erl, worker.erl and sup.erl for the sim, and what programs share.

use cinema::model::{Atom, Pid, Style, Syntax, Term};
use cinema::sandbox::sim::{
    After, ChildSpec, Context, Effect, Flags, GenServer, Interrupt, ModuleSet, Return, Shutdown, Start, SupervisorSpec,
};

/// Adds the modules that every program may start.
pub fn add(modules: ModuleSet) -> ModuleSet {
    let modules = modules.server::<Told>("told").server::<Worker>("worker").supervisor("sup", supervisor);
    modules.process("idle", idle).process("obedient", super::programs::obedient)
}

pub fn term(text: &str) -> Term {
    Term::parse(text, Syntax::Erlang).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Says a term: cleaned as parity.erl does.
pub fn say(cx: &mut Context, said: &Term) -> Effect<()> {
    let text = clean(said).display(Style::erlang()).to_string();
    cx.log(&text)
}

fn clean(said: &Term) -> Term {
    match said {
        Term::Pid(_) => term("pid"),
        Term::Ref(_) => term("ref"),
        Term::Tuple(items) => Term::tuple(items.iter().map(clean).collect::<Vec<_>>()),
        Term::List(list) if is_stack(&list.items[0]) => Term::Nil,
        Term::List(list) => Term::improper(list.items.iter().map(clean).collect(), clean(&list.tail)),
        other => other.clone(),
    }
}

fn is_stack(first: &Term) -> bool {
    match first.as_tuple() {
        Some([Term::Atom(_), Term::Atom(_), arity, location]) => {
            location.as_list().is_some() && (arity.as_int().is_some() || arity.as_list().is_some())
        }
        _ => false,
    }
}

/// Waits for ever, or ends as it is told.
pub fn idle(cx: &mut Context, _args: &Term) -> Effect<()> {
    loop {
        let message = cx.receive(None, None)?.unwrap_or(Term::Nil);
        if let Some([_, reason]) = message.tagged("stop", 2) {
            return Err(Interrupt::exit(reason.clone()));
        }
    }
}

/// The pid in `{ok, Pid}`.
pub fn pid_of(started: &Term) -> Pid {
    started.tagged("ok", 2).and_then(|items| items[1].as_pid()).unwrap_or_else(|| panic!("{started:?} did not start"))
}

pub fn sleep_ms(cx: &mut Context, ms: u64) -> Effect<()> {
    cx.sleep(ms * 1_000_000)
}

#[derive(Clone)]
struct Told(i64);

impl GenServer for Told {
    fn init(cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        let argument = args.as_tuple().and_then(|items| items.get(1)).cloned().unwrap_or(Term::Nil);
        Ok(match args.tag().map_or("", Atom::as_str) {
            "stop" => Start::Stop(argument),
            "ignore" => Start::Ignore,
            "raise" => return Err(Interrupt::error(argument)),
            "exit" => return Err(Interrupt::exit(argument)),
            // What is no answer of init at all ends the process with bad_return_value, as a stop with it would.
            "bad" => Start::Stop(term("{bad_return_value, nonsense}")),
            "continue" => Start::Then(Told(0), After::Continue(argument)),
            "trap" => cx.trap_exit(true).map(|_| Start::Ok(Told(0)))?,
            _ => Start::Ok(Told(args.as_int().unwrap_or(0))),
        })
    }

    fn handle_call(&mut self, cx: &mut Context, request: &Term, from: &Term) -> Effect<Return> {
        let argument = request.as_tuple().and_then(|items| items.get(1)).cloned().unwrap_or(Term::Nil);
        let ms = argument.as_int().unwrap_or(0) as u64;
        Ok(match request.tag().map_or("", Atom::as_str) {
            "get" => Return::reply(self.0),
            "add" => {
                self.0 += argument.as_int().unwrap_or(0);
                Return::reply(self.0)
            }
            "stop" => Return::stop(argument),
            "stop_reply" => Return::Stop { reason: argument, reply: Some(term("last_words")) },
            "continue" => Return::Reply(term("ok"), After::Continue(argument)),
            "wait" => Return::Reply(term("ok"), After::TimeoutMs(ms)),
            "sleep" => sleep_ms(cx, ms).map(|()| Return::reply(term("slept")))?,
            "raise" => return Err(Interrupt::error(argument)),
            "exit" => return Err(Interrupt::exit(argument)),
            "throw" => return Err(Interrupt::throw(argument)),
            "bad" => Return::Bad(argument),
            "later" => {
                let me = Term::Pid(cx.self_pid());
                cx.send_after(ms, &me, Term::tuple([term("reply"), from.clone()]))?;
                Return::noreply()
            }
            "call" => Return::reply(cx.gen_call(&argument, term("get"), Some(20))?),
            _ => return Err(Interrupt::error(term("function_clause"))),
        })
    }

    fn handle_cast(&mut self, _cx: &mut Context, request: &Term) -> Effect<Return> {
        match request.as_tuple() {
            Some([tag, reason]) if tag.is_atom("stop") => Ok(Return::stop(reason.clone())),
            Some([_, Term::Int(n)]) => {
                self.0 += n;
                Ok(Return::noreply())
            }
            _ => Err(Interrupt::error(term("function_clause"))),
        }
    }

    fn handle_info(&mut self, cx: &mut Context, message: &Term) -> Effect<Return> {
        match message.as_tuple() {
            Some([tag, Term::Int(ms)]) if tag.is_atom("sleep") => sleep_ms(cx, *ms as u64)?,
            Some([tag, from]) if tag.is_atom("reply") => cx.reply(from, Term::Int(self.0))?,
            _ => say(cx, &Term::tuple([term("info"), message.clone()]))?,
        }
        Ok(Return::noreply())
    }

    fn handle_continue(&mut self, cx: &mut Context, what: &Term) -> Effect<Return> {
        say(cx, &Term::tuple([term("continue"), what.clone()]))?;
        Ok(Return::noreply())
    }

    fn terminate(&mut self, cx: &mut Context, reason: &Term) -> Effect<()> {
        say(cx, &Term::tuple([term("terminate"), reason.clone()]))
    }

    fn state(&self) -> Term {
        Term::Int(self.0)
    }

    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        self.0 = state.as_int().ok_or("not an integer")?;
        Ok(())
    }
}

#[derive(Clone)]
struct Worker(Term);

impl GenServer for Worker {
    fn init(cx: &mut Context, name: &Term) -> Effect<Start<Self>> {
        if name.is_atom("bad") {
            return Ok(Start::Stop(term("bad_start")));
        }
        let me = cx.self_pid();
        cx.register(name.as_atom().expect("workers have names"), me)?;
        cx.trap_exit(true)?;
        say(cx, &Term::tuple([term("start"), name.clone()]))?;
        Ok(Start::Ok(Worker(name.clone())))
    }
    fn handle_cast(&mut self, _cx: &mut Context, reason: &Term) -> Effect<Return> {
        Ok(Return::stop(reason.clone()))
    }
    fn terminate(&mut self, cx: &mut Context, reason: &Term) -> Effect<()> {
        say(cx, &Term::tuple([term("stop"), self.0.clone(), reason.clone()]))?;
        if self.0.is_atom("stubborn") { sleep_ms(cx, 2_000) } else { Ok(()) }
    }
    fn state(&self) -> Term {
        self.0.clone()
    }
}

/// `{Strategy, Intensity, [{Name, Restart}]}`, or `{simple_one_for_one, Intensity, Restart}`.
fn supervisor(args: &Term) -> SupervisorSpec {
    let [strategy, intensity, children] = args.as_tuple().expect("a triple") else { panic!("a triple") };
    let flags = Term::tuple([strategy.clone(), intensity.clone(), Term::Int(5)]);
    let mut spec = SupervisorSpec { flags: Flags::default(), children: Vec::new() };
    let restart = |spec: ChildSpec, restart: &Term| {
        let text = format!("#{{id => x, start => [worker], restart => {}}}", restart.display(Style::erlang()));
        let parsed = ChildSpec::parse(&term(&text)).expect("a good specification");
        ChildSpec { restart: parsed.restart, shutdown: Some(Shutdown::Ms(100)), ..spec }
    };
    match children.as_list() {
        Some(children) => {
            for child in children {
                let [name, kind] = child.as_tuple().expect("a pair") else { panic!("a pair") };
                let worker = ChildSpec::worker(name.clone(), Atom::new("worker"), vec![name.clone()]);
                spec.children.push(restart(worker, kind));
            }
            spec.flags = SupervisorSpec::parse(&flags, &[]).expect("good flags").flags;
        }
        None => {
            let template = restart(ChildSpec::worker(term("worker"), Atom::new("worker"), Vec::new()), children);
            let any = [term("#{id => x, start => [worker]}")];
            spec.flags = SupervisorSpec::parse(&flags, &any).expect("good flags").flags;
            spec.children.push(template);
        }
    }
    spec
}
