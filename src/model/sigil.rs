//! Elixir's calendar structs and ranges as Elixir writes them: `~D[2026-11-28]`, `~T[09:30:00.000]`, `~N[..]`,
//! `~U[..Z]`, `1..10//2`. Both ways: what is written here reads back to the same term, and a struct that would not is
//! left to be written as a struct. It must not know the syntax around it.

use super::term::{Map, Term};

const CALENDAR: &str = "Elixir.Calendar.ISO";
const UTC: [(&str, &str); 2] = [("time_zone", "Etc/UTC"), ("zone_abbr", "UTC")];

/// How Elixir writes this struct; `None` where it has no form of its own.
pub(super) fn written(map: &Map) -> Option<String> {
    let module = map.get_atom("__struct__")?.as_atom()?;
    let int = |key: &str| map.get_atom(key)?.as_int();
    let date = || Some(format!("{:04}-{:02}-{:02}", int("year")?, int("month")?, int("day")?));
    let time = || {
        let [Term::Int(us), Term::Int(precision @ 0..=6)] = map.get_atom("microsecond")?.as_tuple()? else {
            return None;
        };
        let fraction = match *precision {
            0 => String::new(),
            precision => format!(".{}", &format!("{us:06}")[..precision as usize]),
        };
        Some(format!("{:02}:{:02}:{:02}{fraction}", int("hour")?, int("minute")?, int("second")?))
    };
    let text = match module.as_str() {
        "Elixir.Date" => format!("~D[{}]", date()?),
        "Elixir.Time" => format!("~T[{}]", time()?),
        "Elixir.NaiveDateTime" => format!("~N[{} {}]", date()?, time()?),
        "Elixir.DateTime" => format!("~U[{} {}Z]", date()?, time()?),
        "Elixir.Range" => {
            let (first, last, step) = (int("first")?, int("last")?, int("step")?);
            let is_plain = step == 1 && first <= last;
            return (map.len() == 4)
                .then(|| if is_plain { format!("{first}..{last}") } else { format!("{first}..{last}//{step}") });
        }
        _ => return None,
    };
    let letter = text[1..].chars().next()?;
    let back = read(letter, &text[3..text.len() - 1])?;
    (back.as_map() == Some(map)).then_some(text)
}

/// The struct of a sigil: its letter, and what stands between its brackets.
pub(super) fn read(letter: char, content: &str) -> Option<Term> {
    let (module, fields) = match letter {
        'D' => ("Elixir.Date", date(content)?),
        'T' => ("Elixir.Time", time(content)?),
        'N' => ("Elixir.NaiveDateTime", date_time(content)?),
        'U' => {
            let mut fields = date_time(content.strip_suffix('Z')?)?;
            fields.extend(UTC.map(|(key, value)| (key, Term::binary(value))));
            fields.extend([("utc_offset", Term::Int(0)), ("std_offset", Term::Int(0))]);
            ("Elixir.DateTime", fields)
        }
        _ => return None,
    };
    Some(structure(module, fields.into_iter().chain([("calendar", Term::atom(CALENDAR))])))
}

/// `first..last//step`; without a step it is 1, or -1 downwards.
pub(super) fn range(first: i64, last: i64, step: Option<i64>) -> Term {
    let step = step.unwrap_or(if first <= last { 1 } else { -1 });
    let fields = [("first", first), ("last", last), ("step", step)];
    structure("Elixir.Range", fields.map(|(key, value)| (key, Term::Int(value))))
}

type Fields = Vec<(&'static str, Term)>;

fn structure(module: &str, fields: impl IntoIterator<Item = (&'static str, Term)>) -> Term {
    let fields = fields.into_iter().map(|(key, value)| (Term::atom(key), value));
    Term::map(fields.chain([(Term::atom("__struct__"), Term::atom(module))]))
}

fn date_time(content: &str) -> Option<Fields> {
    let (day, hour) = content.split_once([' ', 'T'])?;
    Some([date(day)?, time(hour)?].concat())
}

fn date(content: &str) -> Option<Fields> {
    let [year, month, day] = parts(content, '-')?;
    let fields = [("year", number(year, 4, 9999)?), ("month", number(month, 2, 12)?), ("day", number(day, 2, 31)?)];
    Some(fields.map(|(key, value)| (key, Term::Int(value))).to_vec())
}

fn time(content: &str) -> Option<Fields> {
    let (clock, fraction) = content.split_once('.').map_or((content, None), |(clock, digits)| (clock, Some(digits)));
    let [hour, minute, second] = parts(clock, ':')?;
    let fields =
        [("hour", number(hour, 2, 23)?), ("minute", number(minute, 2, 59)?), ("second", number(second, 2, 59)?)];
    let precision = fraction.map_or(0, str::len);
    let us = fraction.map_or(Some(0), |digits| number(&format!("{digits:0<6}"), 6, 999_999))?;
    let microsecond = Term::tuple([Term::Int(us), Term::Int(precision as i64)]);
    let fields = fields.map(|(key, value)| (key, Term::Int(value)));
    (fraction != Some("")).then(|| fields.into_iter().chain([("microsecond", microsecond)]).collect())
}

fn parts(text: &str, separator: char) -> Option<[&str; 3]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

/// Exactly so many digits, of a number up to `max`.
fn number(digits: &str, n_digits: usize, max: i64) -> Option<i64> {
    let is_number = digits.len() == n_digits && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|value| is_number && *value <= max)
}

#[cfg(test)]
mod tests {
    use crate::model::Term;
    use crate::model::display::{Style, Syntax};

    #[test]
    fn what_elixir_writes_short_is_written_so_and_read_back() {
        for text in [
            "~D[2026-11-28]",
            "~T[09:30:00]",
            "~T[09:30:00.000]",
            "~N[2026-11-28 23:59:59.123456]",
            "~U[2026-01-02 03:04:05.678Z]",
            "1..10",
            "10..1//-1",
            "1..10//2",
            "{~D[0001-01-01], [-3..3]}",
        ] {
            let term = Term::parse(text, Syntax::Elixir).unwrap();
            assert_eq!(term.display(Style::elixir()).to_string(), text);
        }
    }

    #[test]
    fn what_would_not_read_back_stays_a_struct() {
        for text in [
            "%Date{calendar: Calendar.ISO, day: 28, month: 13, year: 2026}",
            "%Date{day: 28, month: 11, year: 2026}",
            "%Time{calendar: Calendar.ISO, hour: 1, microsecond: {5, 9}, minute: 2, second: 3}",
            "%Time{calendar: Calendar.ISO, hour: 1, microsecond: {123456, 3}, minute: 2, second: 3}",
            "%Range{first: 1, last: 2}",
        ] {
            let term = Term::parse(text, Syntax::Elixir).unwrap();
            assert_eq!(term.display(Style::elixir()).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_date_is_refused_at_its_place() {
        let error = |text| Term::parse(text, Syntax::Elixir).unwrap_err().to_string();
        assert_eq!(error("{~D[2026-13-01]}"), "not a date, time or date with time at column 2");
        assert_eq!(error("~T[12:00:00."), "no closing ] at column 1");
        assert_eq!(error("1..x"), "not a number at column 4");
    }
}
