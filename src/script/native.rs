//! Comparisons of event fields in a closure as a [`Filter`]: `|e| e.kind == "send" && e.tag == "pay"` costs a few
//! nanoseconds per event so, instead of an evaluation. What is not recognised stays with the script; the filter is
//! then a necessary condition that spares most evaluations. It must not know breakpoints.

use rhai::{AST, ASTNode, Expr, FnCallExpr, INT, Stmt};

use super::closure::Closure;
use super::control::Control;
use super::engine::{Host, build};
use super::profile::Profile;
use crate::model::{Atom, Class, Failure, Filter, Kind, Outcome, nearest};

/// What of a closure's body is a conjunction of field comparisons.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Native {
    pub filter: Filter,
    /// Whether the filter says all that the closure says.
    pub is_whole: bool,
}

/// Reads a closure of one parameter. Errors: it compares with a kind or class that no event has.
pub(super) fn read(closure: &Closure) -> Outcome<Native> {
    let name = closure.function_name();
    for script in closure.scripts() {
        let Some(function) = script.iter_functions().find(|f| f.name == name) else { continue };
        // Captured variables are parameters before the event.
        let Some(event) = function.params.last().map(ToString::to_string) else { break };
        // Not `clone_functions_only_filtered`: it takes the filter only where there are functions already (Rhai 1.27).
        let mut body = script.clone_functions_only();
        body.retain_functions(|_, _, function, _| function == name);
        return body_of(&body, &event);
    }
    Ok(Native::default())
}

/// Reads every function and closure of a script as if it were a condition. For tests of the reading.
pub fn filters_of(text: &str) -> Vec<Outcome<Filter>> {
    let host = Host::new(Control::new(Default::default()), Vec::new(), |_| {});
    let Ok(script) = build(Profile::Condition, &host).compile(text) else { return Vec::new() };
    let read = |function: rhai::ScriptFnMetadata<'_>| {
        let (name, event) = (function.name, function.params.last()?);
        let body = script.clone_functions_only_filtered(|_, _, _, function, _| function == name);
        Some(body_of(&body, event).map(|native| native.filter))
    };
    script.iter_functions().filter_map(read).collect()
}

fn body_of(script: &AST, event: &str) -> Outcome<Native> {
    let mut statements = Vec::new();
    script.walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    let reader = Reader { event };
    let mut native = Native { filter: Filter::default(), is_whole: true };
    match &statements[..] {
        [Stmt::Expr(expr)] => reader.conjunct(expr, &mut native)?,
        [Stmt::FnCall(call, _)] => reader.comparison(call, &mut native)?,
        _ => native.is_whole = false,
    }
    Ok(native)
}

impl Native {
    /// Narrows a query's filter. `false`: nothing can match both.
    pub fn narrow(&self, filter: &mut Filter) -> bool {
        let own = &self.filter;
        filter.size_bytes_min = filter.size_bytes_min.max(own.size_bytes_min);
        meet(&mut filter.kinds, &own.kinds)
            && meet(&mut filter.classes, &own.classes)
            && meet(&mut filter.tags, &own.tags)
    }
}

/// Leaves of alternatives those that are among others, too; none at all means any. `false`: none is left.
fn meet<T: Clone + PartialEq>(field: &mut Vec<T>, others: &[T]) -> bool {
    if field.is_empty() {
        field.extend_from_slice(others);
        return true;
    }
    field.retain(|value| others.is_empty() || others.contains(value));
    !field.is_empty()
}

struct Reader<'a> {
    /// The parameter that holds the event.
    event: &'a str,
}

impl Reader<'_> {
    fn conjunct(&self, expr: &Expr, native: &mut Native) -> Outcome<()> {
        match expr {
            Expr::And(parts, _) => parts.iter().try_for_each(|part| self.conjunct(part, native)),
            Expr::FnCall(call, _) => self.comparison(call, native),
            Expr::Or(parts, _) => self.one_of(parts, native),
            _ => {
                native.is_whole = false;
                Ok(())
            }
        }
    }

    /// `e.field == literal`, either way round.
    fn comparison(&self, call: &FnCallExpr, native: &mut Native) -> Outcome<()> {
        let (field, value) = match &call.args[..] {
            [left, right] => match (self.field(left), self.field(right)) {
                (Some(field), None) => (field, right),
                (None, Some(field)) => (field, left),
                _ => return Self::unread(native),
            },
            _ => return Self::unread(native),
        };
        match (call.name.as_str(), field, value) {
            ("==", "kind", Expr::StringConstant(text, _)) => {
                narrow(&mut native.filter.kinds, &[kind(text)?], &mut native.is_whole)
            }
            ("==", "class", Expr::StringConstant(text, _)) => {
                narrow(&mut native.filter.classes, &[class(text)?], &mut native.is_whole);
            }
            ("==", "tag", Expr::StringConstant(text, _)) => match Atom::try_new(text) {
                Ok(tag) => narrow(&mut native.filter.tags, &[tag], &mut native.is_whole),
                Err(_) => native.is_whole = false,
            },
            (">=", "size", Expr::IntegerConstant(n, _)) if is_first(call, value) => size(*n, native),
            (">", "size", Expr::IntegerConstant(n, _)) if is_first(call, value) => size(n.saturating_add(1), native),
            _ => native.is_whole = false,
        }
        Ok(())
    }

    /// `e.kind == "a" || e.kind == "b"`.
    fn one_of(&self, parts: &[Expr], native: &mut Native) -> Outcome<()> {
        let mut kinds = Vec::new();
        for part in parts {
            let mut only = Native { filter: Filter::default(), is_whole: true };
            self.conjunct(part, &mut only)?;
            let [kind] = only.filter.kinds[..] else { return Self::unread(native) };
            if !only.is_whole || only.filter != Filter::kind(kind) {
                return Self::unread(native);
            }
            kinds.push(kind);
        }
        narrow(&mut native.filter.kinds, &kinds, &mut native.is_whole);
        Ok(())
    }

    fn unread(native: &mut Native) -> Outcome<()> {
        native.is_whole = false;
        Ok(())
    }

    /// The name of the event's property that `expr` is.
    fn field<'e>(&self, expr: &'e Expr) -> Option<&'e str> {
        let Expr::Dot(parts, ..) = expr else { return None };
        match (&parts.lhs, &parts.rhs) {
            (Expr::Variable(variable, ..), Expr::Property(property, _)) if variable.1 == self.event => {
                Some(&property.2)
            }
            _ => None,
        }
    }
}

/// Whether the literal stands on the right: `e.size > 5`, not `5 > e.size`.
fn is_first(call: &FnCallExpr, value: &Expr) -> bool {
    std::ptr::eq(&call.args[1], value)
}

fn size(min: INT, native: &mut Native) {
    match (native.filter.size_bytes_min, u32::try_from(min)) {
        (None, Ok(min)) => native.filter.size_bytes_min = Some(min),
        _ => native.is_whole = false,
    }
}

/// Sets a list of alternatives; a second list for the same field is left to the script.
fn narrow<T: Clone>(field: &mut Vec<T>, values: &[T], is_whole: &mut bool) {
    if field.is_empty() {
        field.extend_from_slice(values);
    } else {
        *is_whole = false;
    }
}

fn kind(text: &str) -> Outcome<Kind> {
    let known = || Kind::ALL.iter().map(|kind| kind.as_str());
    Kind::from_name(text).ok_or_else(|| unknown("kind", text, known()))
}

fn class(text: &str) -> Outcome<Class> {
    let known = || Class::ALL.iter().map(|class| class.as_str());
    Class::from_name(text).ok_or_else(|| unknown("class", text, known()))
}

fn unknown<'a>(what: &str, text: &str, known: impl Iterator<Item = &'a str> + Clone) -> Failure {
    let failure = Failure::usage(format!("no event has the {what} {text:?}"));
    match nearest(text, known.clone()).first() {
        Some(near) => failure.hint(format!("did you mean {near:?}?")),
        None => failure.hint(format!("{what}s: {}", known.collect::<Vec<_>>().join(", "))),
    }
}
