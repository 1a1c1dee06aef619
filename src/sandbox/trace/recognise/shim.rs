//! temporary
use super::Recogniser;
use crate::model::{ActorId, Atom, Kind, NewEvent, Pid};
#[derive(Clone, Debug)]
pub struct Introduction {
    pub pid: Pid,
    pub parent: Option<Pid>,
    pub name: Option<Atom>,
    pub module: Option<Atom>,
    pub supervisor: Option<Pid>,
    pub is_supervisor: bool,
}
pub const OMITTED: &str = "$cinema_omitted";
impl Recogniser {
    pub fn introduce(&mut self, i: &Introduction, at_ns: i64) {
        self.at_ns = at_ns;
        let mut payload = super::Fields::default();
        if let Some(m) = i.module {
            payload.atom("module", m);
        }
        if let Some(m) = i.name {
            payload.atom("name", m);
        }
        if i.is_supervisor {
            payload.atom("behaviour", Atom::new("supervisor"));
        }
        let process = self.actors.actor(ActorId::Pid(i.pid));
        if let Some(s) = i.supervisor {
            let s = self.actors.actor(ActorId::Pid(s));
            payload.actor("supervisor", s);
        }
        let payload = payload.finish();
        let peer = i.parent.map(|p| self.actors.actor(ActorId::Pid(p)));
        let mut meta = super::Fields::default();
        meta.atom("since", Atom::new("before_trace"));
        self.emit(&NewEvent {
            peer,
            tag: i.module,
            payload: &payload,
            meta: &meta.finish(),
            ..self.event(Kind::Spawn, process)
        });
        if let Some(n) = i.name {
            self.learn_name(ActorId::Pid(i.pid), n);
        }
    }
    pub fn ignore(&mut self, _pid: Pid) {}
    pub fn ignore_node(&mut self, _node: Atom) {}
    pub fn sampled(&mut self, _pid: Pid, _at_ns: i64, _fields: &[u8]) {}
    pub fn state_seen(&mut self, pid: Pid, at_ns: i64, state: &[u8]) {
        self.at_ns = at_ns;
        let process = self.actors.actor(ActorId::Pid(pid));
        self.emit(&NewEvent { payload: state, ..self.event(Kind::StateChange, process) });
    }
    pub fn held(&mut self, pid: Pid, at_ns: i64, is_held: bool, breakpoint: Atom, fields: &[u8]) {
        self.at_ns = at_ns;
        let process = self.actors.actor(ActorId::Pid(pid));
        let kind = if is_held { Kind::Held } else { Kind::Released };
        self.emit(&NewEvent { tag: Some(breakpoint), payload: fields, ..self.event(kind, process) });
    }
}
