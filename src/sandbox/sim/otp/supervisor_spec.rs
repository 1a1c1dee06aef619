//! A supervisor's flags and child specifications as data, with OTP's defaults, and their terms.

use std::rc::Rc;

use crate::model::{Atom, Term};

use crate::sandbox::sim::atoms::atoms;

/// What a supervisor's init returns: `{ok, {Flags, ChildSpecs}}`.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisorSpec {
    pub flags: Flags,
    pub children: Vec<ChildSpec>,
}

/// `sup_flags()`; the default is OTP's: one_for_one, 1 restart in 5 s, never automatic shutdown.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags {
    pub strategy: Strategy,
    pub intensity: u32,
    pub period_s: u32,
    pub auto_shutdown: AutoShutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    OneForOne,
    OneForAll,
    RestForOne,
    SimpleOneForOne,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoShutdown {
    Never,
    AnySignificant,
    AllSignificant,
}

/// `child_spec()`. The start function is always `Module:start_link`, spelt as module and arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildSpec {
    pub id: Term,
    pub module: Atom,
    /// Arguments of the start function; under simple_one_for_one those of start_child are appended.
    /// A single one is what the child's init gets; several arrive as a list, none as `[]`.
    pub args: Vec<Term>,
    /// The name that the child registers.
    pub name: Option<Atom>,
    pub restart: Restart,
    /// `None`: 5 000 ms for workers, infinity for supervisors.
    pub shutdown: Option<Shutdown>,
    pub is_supervisor: bool,
    pub significant: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    Permanent,
    Transient,
    Temporary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    BrutalKill,
    Infinity,
    Ms(u64),
}

impl Default for Flags {
    fn default() -> Flags {
        Flags { strategy: Strategy::OneForOne, intensity: 1, period_s: 5, auto_shutdown: AutoShutdown::Never }
    }
}

impl SupervisorSpec {
    /// Reads flags (a map, or `{Strategy, Intensity, Period}`) and child specs. Errors: OTP's reason for what is wrong.
    pub fn parse(flags: &Term, children: &[Term]) -> Result<SupervisorSpec, Term> {
        let flags = Flags::parse(flags)?;
        let children: Vec<ChildSpec> = children.iter().map(ChildSpec::parse).collect::<Result<_, _>>()?;
        let spec = SupervisorSpec { flags, children };
        spec.check()?;
        Ok(spec)
    }

    /// What OTP's check_startspec refuses: an id twice, significant children that cannot be, more or fewer than one template.
    pub fn check(&self) -> Result<(), Term> {
        for (idx, child) in self.children.iter().enumerate() {
            child.check(&self.flags)?;
            if self.children[..idx].iter().any(|other| other.id == child.id) {
                return Err(invalid("duplicate_child_name", &child.id));
            }
        }
        if self.flags.strategy == Strategy::SimpleOneForOne && self.children.len() != 1 {
            let ids: Vec<Term> = self.children.iter().map(|child| child.id.clone()).collect();
            return Err(invalid("bad_start_spec", &Term::list(ids)));
        }
        Ok(())
    }
}

impl Flags {
    fn parse(term: &Term) -> Result<Flags, Term> {
        let default = Flags::default();
        if let Some([strategy, intensity, period]) = term.as_tuple() {
            return Ok(Flags {
                strategy: Strategy::parse(strategy)?,
                intensity: number("invalid_intensity", intensity)?,
                period_s: period_s(period)?,
                ..default
            });
        }
        let map = term.as_map().ok_or_else(|| invalid("invalid_supervisor_flags", term))?;
        let flags = Flags {
            strategy: map.get_atom("strategy").map_or(Ok(default.strategy), Strategy::parse)?,
            intensity: map.get_atom("intensity").map_or(Ok(default.intensity), |n| number("invalid_intensity", n))?,
            period_s: map.get_atom("period").map_or(Ok(default.period_s), period_s)?,
            auto_shutdown: map.get_atom("auto_shutdown").map_or(Ok(default.auto_shutdown), AutoShutdown::parse)?,
        };
        Ok(flags)
    }
}

impl Strategy {
    fn parse(term: &Term) -> Result<Strategy, Term> {
        let all = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne, Strategy::SimpleOneForOne];
        let found = all.into_iter().find(|strategy| Term::Atom(strategy.atom()) == *term);
        found.ok_or_else(|| invalid("invalid_strategy", term))
    }

    /// OTP's name.
    pub fn atom(self) -> Atom {
        let a = atoms();
        match self {
            Strategy::OneForOne => a.one_for_one,
            Strategy::OneForAll => a.one_for_all,
            Strategy::RestForOne => a.rest_for_one,
            Strategy::SimpleOneForOne => a.simple_one_for_one,
        }
    }
}

impl AutoShutdown {
    fn parse(term: &Term) -> Result<AutoShutdown, Term> {
        let a = atoms();
        match term {
            Term::Atom(atom) if *atom == a.never => Ok(AutoShutdown::Never),
            Term::Atom(atom) if *atom == a.any_significant => Ok(AutoShutdown::AnySignificant),
            Term::Atom(atom) if *atom == a.all_significant => Ok(AutoShutdown::AllSignificant),
            other => Err(invalid("invalid_auto_shutdown", other)),
        }
    }
}

impl Restart {
    fn parse(term: &Term) -> Result<Restart, Term> {
        let all = [Restart::Permanent, Restart::Transient, Restart::Temporary];
        let found = all.into_iter().find(|restart| Term::Atom(restart.atom()) == *term);
        found.ok_or_else(|| invalid("invalid_restart_type", term))
    }

    /// OTP's name.
    pub fn atom(self) -> Atom {
        let a = atoms();
        match self {
            Restart::Permanent => a.permanent,
            Restart::Transient => a.transient,
            Restart::Temporary => a.temporary,
        }
    }
}

impl Shutdown {
    fn parse(term: &Term) -> Result<Shutdown, Term> {
        let a = atoms();
        match term {
            Term::Atom(atom) if *atom == a.brutal_kill => Ok(Shutdown::BrutalKill),
            Term::Atom(atom) if *atom == a.infinity => Ok(Shutdown::Infinity),
            Term::Int(ms @ 0..) => Ok(Shutdown::Ms(*ms as u64)),
            other => Err(invalid("invalid_shutdown", other)),
        }
    }

    fn term(self) -> Term {
        match self {
            Shutdown::BrutalKill => Term::Atom(atoms().brutal_kill),
            Shutdown::Infinity => Term::Atom(atoms().infinity),
            Shutdown::Ms(ms) => Term::Int(ms as i64),
        }
    }
}

impl ChildSpec {
    /// A permanent worker `module` under the id `id`, started with `args`.
    pub fn worker(id: Term, module: Atom, args: Vec<Term>) -> ChildSpec {
        ChildSpec {
            id,
            module,
            args,
            name: None,
            restart: Restart::Permanent,
            shutdown: None,
            is_supervisor: false,
            significant: false,
        }
    }

    /// Reads a map `#{id, start, restart, shutdown, type, significant, name}` or the tuple form. `start` is
    /// `{Module, start_link, Args}` or the list `[Module | Args]`; `name` is ours, since there is no start function
    /// of the module's own that could register one. Errors: OTP's reason for what is wrong.
    pub fn parse(term: &Term) -> Result<ChildSpec, Term> {
        if let Some([id, start, restart, shutdown, kind, _modules]) = term.as_tuple() {
            let (module, args) = parse_start(start)?;
            return Ok(ChildSpec {
                restart: Restart::parse(restart)?,
                shutdown: Some(Shutdown::parse(shutdown)?),
                is_supervisor: is_supervisor(kind)?,
                ..ChildSpec::worker(id.clone(), module, args)
            });
        }
        let map = term.as_map().ok_or_else(|| invalid("invalid_child_spec", term))?;
        let id = map.get_atom("id").ok_or_else(|| Term::atom("missing_id"))?;
        let (module, args) = parse_start(map.get_atom("start").ok_or_else(|| Term::atom("missing_start"))?)?;
        Ok(ChildSpec {
            name: match map.get_atom("name") {
                Some(name) => Some(name.as_atom().ok_or_else(|| invalid("invalid_name", name))?),
                None => None,
            },
            restart: map.get_atom("restart").map_or(Ok(Restart::Permanent), Restart::parse)?,
            shutdown: map.get_atom("shutdown").map(Shutdown::parse).transpose()?,
            is_supervisor: map.get_atom("type").map_or(Ok(false), is_supervisor)?,
            significant: map.get_atom("significant").is_some_and(|flag| flag.is_atom("true")),
            ..ChildSpec::worker(id.clone(), module, args)
        })
    }

    /// What OTP refuses: a significant child that is permanent, or under a supervisor that never shuts down by itself.
    pub fn check(&self, flags: &Flags) -> Result<(), Term> {
        let a = atoms();
        let refused = |key: Atom, value: Atom| {
            let pair = |key: Atom, value: Atom| Term::tuple(vec![Term::Atom(key), Term::Atom(value)]);
            Err(invalid("bad_combination", &Term::list(vec![pair(key, value), pair(a.significant, a.true_)])))
        };
        match (self.significant, self.restart, flags.auto_shutdown) {
            (true, _, AutoShutdown::Never) => refused(a.auto_shutdown, a.never),
            (true, Restart::Permanent, _) => refused(a.restart, a.permanent),
            _ => Ok(()),
        }
    }

    /// The argument of the child's init.
    pub fn init_args(&self, extra: &[Term]) -> Term {
        let mut args: Vec<Term> = self.args.iter().chain(extra).cloned().collect();
        if args.len() == 1 { args.remove(0) } else { Term::list(args) }
    }

    /// The shutdown in force.
    pub fn shutdown(&self) -> Shutdown {
        let default = if self.is_supervisor { Shutdown::Infinity } else { Shutdown::Ms(5_000) };
        self.shutdown.unwrap_or(default)
    }

    pub fn type_atom(&self) -> Atom {
        if self.is_supervisor { atoms().supervisor } else { atoms().worker }
    }

    /// supervisor.erl's record: `{child, Pid, Id, MFA, Restart, Significant, Shutdown, Type, Modules}`.
    pub fn record(&self, pid: Term) -> Term {
        let a = atoms();
        let args = Term::list(self.args.clone());
        let mfa = Term::tuple(vec![Term::Atom(self.module), Term::atom("start_link"), args]);
        Term::tuple(vec![
            Term::Atom(a.child),
            pid,
            self.id.clone(),
            mfa,
            Term::Atom(self.restart.atom()),
            Term::bool(self.significant),
            self.shutdown().term(),
            Term::Atom(self.type_atom()),
            Term::list(vec![Term::Atom(self.module)]),
        ])
    }
}

/// A spec, shared by everything that refers to it.
pub type SharedSpec = Rc<ChildSpec>;

fn parse_start(term: &Term) -> Result<(Atom, Vec<Term>), Term> {
    let bad = || invalid("invalid_mfa", term);
    match (term.as_tuple(), term.as_list()) {
        (Some([Term::Atom(module), Term::Atom(_), args]), _) => Ok((*module, args.as_list().ok_or_else(bad)?.to_vec())),
        (_, Some([Term::Atom(module), args @ ..])) => Ok((*module, args.to_vec())),
        _ => Err(bad()),
    }
}

fn is_supervisor(term: &Term) -> Result<bool, Term> {
    match term {
        Term::Atom(atom) if *atom == atoms().supervisor => Ok(true),
        Term::Atom(atom) if *atom == atoms().worker => Ok(false),
        other => Err(invalid("invalid_child_type", other)),
    }
}

fn number(what: &str, term: &Term) -> Result<u32, Term> {
    term.as_int().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| invalid(what, term))
}

fn period_s(term: &Term) -> Result<u32, Term> {
    number("invalid_period", term).and_then(|n| if n > 0 { Ok(n) } else { Err(invalid("invalid_period", term)) })
}

/// `{What, Term}`.
fn invalid(what: &str, term: &Term) -> Term {
    Term::tuple(vec![Term::atom(what), term.clone()])
}
