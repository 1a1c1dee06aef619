//! The real [`Host`]: a session with its shell, on the session's thread; results as text in the format asked for.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cli::Format;
use super::console;
use super::film::SessionFilm;
use super::host::{Ending, Host, Names};
use super::interrupt::Token;
use super::playback::{self, Direction};
use super::server;
use super::terminal::Place;
use super::worker::Worker;
use crate::export;
use crate::model::{Failure, Outcome, Syntax, limits, time};
use crate::render::{self, text::TextOptions};
use crate::sandbox::beam::options::CookieSource;
use crate::script::ScriptEnd;
use crate::script::api::{
    self, Block, Console, ConsoleOptions, FunctionHelp, Output, Shown, shown, syntax_of, too_many,
};
use crate::session::{Notice, SharedSession};
use crate::timeline::PlaybackState;

/// Processes whose pids and names are published for completion.
const PROCESSES_PUBLISHED_MAX: usize = 2_000;

/// Takes a line that the session tells while it works; must not block.
type Notify = Rc<dyn Fn(String)>;

/// The number of viewers of each server.
type Viewers = Rc<RefCell<Vec<Arc<AtomicUsize>>>>;

/// What a session is made with.
pub struct Setup {
    pub format: Format,
    pub place: Place,
    pub seed: Option<u64>,
    pub interrupt: Token,
    pub is_shell: bool,
    pub notify: Box<dyn Fn(String) + Send>,
}

/// The session with its shell.
pub struct Live {
    console: Console,
    format: Format,
    place: Place,
    interrupt: Token,
    /// A user, or a pipe in their place, types line by line: `play()` shows something then.
    is_shell: bool,
    is_background: Rc<Cell<bool>>,
    /// Something that was opened is not whole.
    has_damage: Rc<Cell<bool>>,
    /// What went wrong with a live recording, as far as it was told.
    told: Option<Failure>,
    /// Who looks on by each server; shared with the function `serve`.
    viewers: Viewers,
    /// The line that runs came over a socket; shared with the function `serve`.
    pub(super) is_foreign: Rc<Cell<bool>>,
    /// The functions as published, and how many names they were made of.
    functions: (usize, Arc<[FunctionHelp]>),
}

impl Live {
    pub fn new(setup: Setup) -> Live {
        let notify: Notify = Rc::new(setup.notify);
        let is_background = Rc::new(Cell::new(false));
        let options = ConsoleOptions {
            interrupt: setup.interrupt.clone(),
            roots: vec![".".into()],
            seed: setup.seed.unwrap_or(1),
            n_rows_max: n_rows_max(setup.format),
        };
        let print = {
            let (notify, is_background) = (Rc::clone(&notify), Rc::clone(&is_background));
            move |line: &str| if is_background.get() { notify(line.to_string()) } else { console::print_line(line) }
        };
        let show = {
            let (notify, is_background) = (Rc::clone(&notify), Rc::clone(&is_background));
            move |shown: &Shown, syntax| {
                let more_hint = ".table(1000) shows more".to_string();
                let options = text_options(setup.place, setup.format, syntax, more_hint);
                let text = text_of(shown, setup.format, &options)?;
                if is_background.get() {
                    notify(text)
                } else {
                    console::print_line(text.trim_end_matches('\n'))
                }
                Ok(())
            }
        };
        let has_damage = Rc::new(Cell::new(false));
        let notify = {
            let has_damage = Rc::clone(&has_damage);
            move |notice: Notice| {
                has_damage.set(has_damage.get() || matches!(notice, Notice::Damage(_)));
                notify(notice_line(&notice));
            }
        };
        let output = Output { print: Box::new(print), show: Box::new(show), notify: Box::new(notify) };
        let console = Console::new(options, output);
        Live {
            console,
            format: setup.format,
            place: setup.place,
            interrupt: setup.interrupt,
            is_shell: setup.is_shell,
            is_background,
            has_damage,
            told: None,
            viewers: Viewers::default(),
            is_foreign: Rc::default(),
            functions: (0, Arc::default()),
        }
    }

    /// Tells the way to this session, so that `serve()` works.
    pub fn can_serve(&mut self, worker: Worker<Live>) -> String {
        self.console.set_serve(serve_function(worker, Rc::clone(&self.viewers), Rc::clone(&self.is_foreign)));
        String::new()
    }

    /// A server has begun, by which others may look on.
    pub fn add_server(&mut self, running: &server::Running) {
        self.viewers.borrow_mut().push(Arc::clone(&running.n_viewers));
    }
    fn has_viewers(&self) -> bool {
        self.viewers.borrow().iter().any(|n_viewers| n_viewers.load(Ordering::Relaxed) > 0)
    }

    /// The session, for those who drive it by operations.
    pub fn session(&self) -> &SharedSession {
        &self.console.session
    }
    /// The shell over the session.
    pub fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    fn text_options(&self) -> TextOptions {
        let session = self.console.session.borrow();
        let more_hint = match self.console.shell.last_index() {
            Some(idx) if self.is_shell => format!("out[{idx}].table(1000) shows more"),
            _ => ".table(1000) shows more".to_string(),
        };
        text_options(self.place, self.format, syntax_of(session.source().ok()), more_hint)
    }

    /// The exit code of a batch run that went well: an error's when a recording that it opened is damaged.
    pub fn exit_code(&self) -> u8 {
        if self.has_damage.get() { console::EXIT_ERROR } else { 0 }
    }

    /// Completes what goes to files as it grows.
    pub fn finish(&mut self) -> Outcome<()> {
        self.console.session.borrow_mut().finish().map_err(|failure| match &self.told {
            Some(told) if *told == failure => Failure::new(failure.kind, "the recording is not whole, as said above"),
            _ => failure,
        })
    }

    /// The cookie of nodes that are attached to.
    pub fn set_cookie(&mut self, cookie: CookieSource) {
        self.console.session.borrow_mut().cookie = cookie;
    }

    /// The reference of the script functions as Markdown.
    pub fn reference(&self) -> String {
        api::reference(&self.console.shell.names())
    }

    /// Plays what the line has set going.
    fn play_on(&mut self) -> Outcome<()> {
        let (state, speed) = {
            let session = self.console.session.borrow();
            let Ok(source) = session.source() else { return Ok(()) };
            (source.timeline().playback().state(), source.timeline().playback().speed().abs())
        };
        let direction = match state {
            PlaybackState::Playing => Direction::Forward,
            PlaybackState::Rewinding => Direction::Back,
            PlaybackState::Paused => return Ok(()),
        };
        if direction == Direction::Forward
            && let Ok(source) = self.console.session.borrow_mut().source_mut()
        {
            // As players do: at the end, playing begins anew.
            let (timeline, recording) = source.timeline_mut();
            if timeline.is_at_end(&recording) {
                timeline.to_start();
            }
        }
        let mut film = SessionFilm::new(Rc::clone(&self.console.session), self.text_options())?;
        let played = if self.place.is_interactive() {
            playback::play_live(&mut film, direction, speed, &self.interrupt)
        } else {
            playback::print_all(&mut film, direction, &self.interrupt, &mut console::Out)
        };
        if let Ok(source) = self.console.session.borrow_mut().source_mut() {
            source.timeline_mut().0.pause();
        }
        played
    }

    fn ending<T>(&self, value: Result<T, ScriptEnd>, show: impl FnOnce(&T) -> Shown) -> Outcome<Ending> {
        match value {
            Ok(value) => text_of(&show(&value), self.format, &self.text_options()).map(Ending::Value),
            Err(ScriptEnd::Exited(code)) => Ok(Ending::Exit(exit_status(code))),
            Err(ScriptEnd::Failed(failure)) => Err(failure),
        }
    }
}

/// What the script function `serve` does.
fn serve_function(worker: Worker<Live>, viewers: Viewers, is_foreign: Rc<Cell<bool>>) -> api::ServeFunction {
    Box::new(move |wanted| {
        if is_foreign.get() {
            return Err(Failure::unsupported("this session is served already, to whoever asked this")
                .hint("serve() at the prompt, or another `cinema serve`, begins one more"));
        }
        let settings = server::Settings {
            port: wanted.port,
            token: wanted.token,
            is_read_only: wanted.is_read_only,
            ..server::Settings::default()
        };
        let running = server::start(worker.clone(), &settings)?;
        viewers.borrow_mut().push(Arc::clone(&running.n_viewers));
        Ok(running.url())
    })
}

/// How text is laid out in a place.
fn text_options(place: Place, format: Format, syntax: Syntax, more_hint: String) -> TextOptions {
    TextOptions {
        width: place.width,
        is_coloured: place.has_color && format == Format::Table,
        n_rows_max: limits::SHOWN_ROWS,
        more_hint,
        syntax,
    }
}

/// What of a result's rows is made: people see a screenful, programs get all.
fn n_rows_max(format: Format) -> usize {
    if format == Format::Table { limits::SHOWN_ROWS } else { limits::QUERY_ROWS_MAX }
}

/// A result in the format that was asked for; empty for nothing.
fn text_of(shown: &Shown, format: Format, options: &TextOptions) -> Outcome<String> {
    match (format, shown.as_table()) {
        _ if shown.blocks.is_empty() => Ok(String::new()),
        // A program would take the first million for all of them.
        (Format::Json | Format::Jsonl | Format::Csv, Some(table)) if table.n_more > 0 && shown.n_rows_max.is_none() => {
            Err(too_many(table.rows.len() as u64 + table.n_more))
        }
        (Format::Json, Some(table)) => Ok(export::json(table)),
        (Format::Jsonl, Some(table)) => Ok(export::jsonl(table)),
        (Format::Csv, Some(table)) => Ok(export::csv(table, options.syntax)),
        (Format::Json | Format::Jsonl, None) => Ok(shown.json.clone().unwrap_or_default().to_string()),
        (Format::Csv, None) => csv_of(shown, options),
        (Format::Table | Format::Auto, _) => Ok(shown.to_text(options)),
    }
}

/// What is no single table as csv: its first table or, of a plain value, that value.
fn csv_of(shown: &Shown, options: &TextOptions) -> Outcome<String> {
    if let Some(table) = shown.blocks.iter().find_map(Block::as_table) {
        return Ok(export::csv(table, options.syntax));
    }
    match &shown.blocks[..] {
        [Block::Text(text)] => Ok(export::csv_line(std::iter::once(text.trim_end_matches('\n').to_string()))),
        _ => Err(Failure::unsupported("this result is no table: csv has nothing to write")
            .hint("--format json, or a part of it that is a table")),
    }
}

/// The exit status for `exit(code)`: what does not fit a byte is an error's 1, never a false 0.
fn exit_status(code: i64) -> u8 {
    u8::try_from(code).unwrap_or(console::EXIT_ERROR)
}

/// A notice as one line.
fn notice_line(notice: &Notice) -> String {
    match notice {
        Notice::Hit { breakpoint, name, seq, since_start_ns, text } => {
            let what = if text.is_empty() { name } else { text };
            let at = time::show_ns(*since_start_ns);
            format!("● breakpoint {} at #{} {at}: {}", breakpoint.0, seq.0, render::escape::visible(what))
        }
        Notice::Damage(text) => format!("damaged: {}", render::escape::visible(text)),
        Notice::Warning(text) => format!("warning: {}", render::escape::visible(text)),
        Notice::Progress(text) => render::escape::visible(text).to_string(),
    }
}

impl Host for Live {
    fn eval(&mut self, line: &str, is_background: bool) -> Outcome<Ending> {
        self.is_background.set(is_background);
        let value = self.console.shell.eval_line(line);
        let syntax = self.text_options().syntax;
        let ending = self.ending(value, |value| shown(value, syntax, n_rows_max(self.format)))?;
        // Where browsers look on, playing is what the server does, and the shell stays free.
        if self.is_shell && !is_background && !self.has_viewers() {
            self.play_on()?;
        }
        Ok(ending)
    }

    fn run(&mut self, name: &str, text: &str, args: &[String]) -> Outcome<Ending> {
        let value = self.console.shell.run_text(name, text, args);
        let syntax = self.text_options().syntax;
        self.ending(value, |value| shown(value, syntax, n_rows_max(self.format)))
    }

    fn open(&mut self, path: &str) -> Outcome<Ending> {
        let quoted = serde_json::Value::from(path).to_string();
        self.eval(&format!("open({quoted})"), false)
    }

    fn play(&mut self, speed: f64) -> Outcome<Ending> {
        {
            let mut session = self.console.session.borrow_mut();
            let (timeline, _recording) = session.source_mut()?.timeline_mut();
            timeline.to_start();
            timeline.play(speed)?;
        }
        self.play_on()?;
        Ok(Ending::Value(String::new()))
    }

    fn drain(&mut self) -> bool {
        let mut session = self.console.session.borrow_mut();
        session.drain().unwrap_or_else(|failure| {
            // It is the same at every look, and once is enough.
            if self.told.as_ref() != Some(&failure) {
                session.warn(failure.in_one_line());
                self.told = Some(failure);
            }
            false
        })
    }

    fn names(&mut self) -> Names {
        let script = self.console.shell.names();
        // Functions change only when a line defines one.
        if self.functions.0 != script.functions.len() {
            self.functions = (script.functions.len(), api::functions(&script).into());
        }
        let properties = script.properties.into_iter().map(|property| property.name);
        let mut keys: Vec<String> = script.keys.into_iter().chain(properties).collect();
        keys.sort_unstable();
        keys.dedup();
        let functions = Arc::clone(&self.functions.1);
        let mut names = Names { functions, variables: script.variables, keys, ..Names::default() };
        let session = self.console.session.borrow();
        let Ok(source) = session.source() else { return names };
        let position = source.position();
        names.position = match position.seq {
            Some(seq) => format!("#{} +{}", seq.0, time::show_ns(position.since_start_ns).replace(' ', "")),
            None => "start".to_string(),
        };
        let recording = source.recording();
        names.marks = recording.marks().iter().map(|mark| mark.name.clone()).collect();
        if let Ok(system) = source.system_at(None) {
            names.registered =
                system.names.keys().take(PROCESSES_PUBLISHED_MAX).map(|(name, _)| name.as_str().to_string()).collect();
            let syntax = syntax_of(Some(source));
            let actors = system.processes.keys().take(PROCESSES_PUBLISHED_MAX);
            names.pids = actors.map(|actor| actor.display(syntax)).collect();
        }
        names
    }
}
