//! The session in a browser, over HTTP and over a channel: `cinema serve`, `serve()` in the shell.
//!
//! The server has a thread of its own with its own runtime. Every request becomes a task for the session's thread
//! ([`desk`]), except pictures, which are drawn from a copy that shares the sealed segments ([`glass`]).
//!
//! - [`gate`]: who may come in; [`effect`]: what a read-only server refuses
//! - [`api`], [`args`], [`answer`], [`problem`], [`openapi`]: the operation table over HTTP; [`step`]: one of them by words
//! - [`pages`]: events by pages; [`records`]: export, import, lines of script
//! - [`pulse`], [`stage`]: the state that viewers follow; [`channel`]: Phoenix Channels
//! - [`views`]: what the page draws; [`page`]: the page itself, [`bundle`]: its modules as one script
//! - [`mcp`]: the same table for assistants, on standard input and output

mod answer;
mod api;
pub(crate) mod args;
pub mod bench;
mod bundle;
pub(crate) mod channel;
mod desk;
mod effect;
mod gate;
mod glass;
pub mod mcp;
mod openapi;
mod page;
mod pages;
mod problem;
mod pulse;
mod records;
mod shared;
mod stage;
mod step;
mod views;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use crossbeam::channel::bounded;

use super::live::Live;
use super::worker::Worker;
use crate::model::{Failure, Outcome, limits};
use desk::Desk;
use gate::Gate;
use problem::Problem;
use shared::Shared;

/// The port when none is asked for; where it is taken, the system chooses one.
pub const PORT: u16 = 4800;

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    pub bind: IpAddr,
    /// `None`: [`PORT`], or any when that is taken.
    pub port: Option<u16>,
    /// `None`: a new one.
    pub token: Option<String>,
    pub is_read_only: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { bind: Ipv4Addr::LOCALHOST.into(), port: None, token: None, is_read_only: false }
    }
}

/// A server that runs until the program ends.
#[derive(Clone, Debug)]
pub struct Running {
    pub address: SocketAddr,
    /// Channel clients that are connected now.
    pub n_viewers: Arc<AtomicUsize>,
    token: String,
}

impl Running {
    /// The address to open in a browser. The token stands behind `#`, which browsers send to nobody.
    pub fn url(&self) -> String {
        format!("http://{}/#token={}", self.address, self.token)
    }
}

/// Starts a server on a thread of its own. Errors: the address is taken or not ours, a token that is too short.
pub fn start(worker: Worker<Live>, settings: &Settings) -> Outcome<Running> {
    let token = settings.token.clone().map_or_else(gate::new_token, Ok)?;
    if token.len() < TOKEN_CHARS_MIN {
        return Err(Failure::usage(format!(
            "a token of {} characters is guessed: at least {TOKEN_CHARS_MIN}",
            token.len()
        ))
        .hint("without --token a random one is made"));
    }
    let listener = listen(settings)?;
    let address = listener.local_addr().map_err(|error| Failure::io(format!("no address: {error}")))?;
    let gate = Gate::new(address, token.clone());
    let n_viewers = Arc::new(AtomicUsize::new(0));
    let running = Running { address, n_viewers: Arc::clone(&n_viewers), token };
    let is_read_only = settings.is_read_only;
    let (ready, is_ready) = bounded(1);
    let thread = std::thread::Builder::new().name("server".into());
    let serve = move || {
        let served = tokio::runtime::Builder::new_current_thread().enable_all().build().map(|runtime| {
            runtime.block_on(async {
                let shared = Shared::new(Desk::new(worker), gate, is_read_only, n_viewers);
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::spawn(prepare(Arc::clone(&shared)));
                // Whoever started us waits for this.
                let _ = ready.send(Ok(()));
                axum::serve(listener, router(shared)).await
            })
        });
        if let Ok(Err(error)) | Err(error) = served {
            // The starter is gone when this comes later: then it shows where requests fail.
            let _ = ready.send(Err(error));
        }
    };
    thread.spawn(serve).map_err(|error| Failure::io(format!("cannot start the server's thread: {error}")))?;
    match is_ready.recv() {
        Ok(Ok(())) => Ok(running),
        Ok(Err(error)) => Err(Failure::io(format!("cannot serve: {error}"))),
        Err(_) => Err(Failure::io("the server's thread ended at once")),
    }
}

/// Makes what pictures of the current sandbox are drawn from, so that the first viewer need not wait for it.
async fn prepare(shared: Arc<Shared>) {
    let current = shared.desk.look(|live| Ok(live.session().borrow().current())).await;
    let Ok(Some(id)) = current else { return };
    // A failure shows where somebody asks for it.
    let Ok(stage) = shared.stage(id).await else { return };
    if let Ok(glass) = stage.glass().await {
        // Names and the tree are made when they are first asked for.
        tokio::task::spawn_blocking(move || {
            glass.names();
            glass.tree();
        });
    }
}

/// Characters of a token that a user chooses.
const TOKEN_CHARS_MIN: usize = 16;

fn listen(settings: &Settings) -> Outcome<std::net::TcpListener> {
    let bind = |port| std::net::TcpListener::bind((settings.bind, port));
    let listener = match settings.port {
        Some(port) => bind(port),
        None => bind(PORT).or_else(|_| bind(0)),
    };
    let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| {
        let port = settings.port.unwrap_or(PORT);
        Failure::io(format!("cannot listen on {}:{port}: {error}", settings.bind)).hint("--port 0 takes any free port")
    })
}

/// Every route. Files of the page and the document need no token: there is nothing secret in them.
fn router(shared: Arc<Shared>) -> Router {
    let guarded = Router::new()
        .merge(api::router())
        .merge(records::router())
        .merge(views::router())
        .route("/api/v1/operations", get(api::operations))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), check_token))
        .layer(DefaultBodyLimit::max(limits::SERVER_BODY_BYTES_MAX));
    let open = Router::new()
        .route("/", get(page::index))
        .route("/api/openapi.json", get(|| async { axum::Json(openapi::document()) }))
        .route("/socket/websocket", get(channel::connect));
    open.merge(guarded)
        .fallback(
            |uri: axum::http::Uri| async move { Problem::not_found(format!("there is nothing at {}", uri.path())) },
        )
        .method_not_allowed_fallback(|method: axum::http::Method| async move {
            Problem::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, "method", format!("{method} is not for this path"))
        })
        .layer(axum::middleware::map_response(as_problem))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), check_place))
        .with_state(shared)
}

/// Makes a problem of what the library refuses by itself, in plain text: a path or query that cannot be read.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !(status.is_client_error() || status.is_server_error()) || !kind.starts_with("text/plain") {
        return response;
    }
    let text = axum::body::to_bytes(response.into_body(), limits::SERVER_BODY_BYTES_MAX).await.unwrap_or_default();
    Problem::new(status, "bad_request", String::from_utf8_lossy(&text)).into_response()
}

async fn check_place(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match shared.gate.check_place(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn check_token(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match shared.gate.check_token(request.headers(), None) {
        Ok(()) => {}
        Err(problem) => return problem.into_response(),
    }
    match shared.requests.acquire().await {
        Ok(_permit) => next.run(request).await,
        Err(_) => Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "busy", "the server ends").into_response(),
    }
}
