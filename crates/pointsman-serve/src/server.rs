//! Two listeners, HTTP/1.1 only, that drain before they end.
//!
//! Limits on headers and on how long they may take are Hyper's, whose refusals `wire` puts into words;
//! those on bodies and on calls are in [`crate::http`].

use crate::{
    aside,
    http::{self, Reload},
    keys::Plane,
    service::Service,
};
use axum::{Router, http::Request, response::Response};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    convert::Infallible,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, watch},
    time,
};

mod wire;

use wire::{MAX_HEADER_BYTES, MAX_HEADERS, Wire};

/// What happens to a service while it serves, for its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It listens.
    Listening {
        /// Where callers come in.
        callers: SocketAddr,
        /// Where operators come in.
        operators: SocketAddr,
    },
    /// Another policy is in force.
    Reloaded {
        /// The SHA-256 of its file.
        digest: String,
    },
    /// Something is wrong, and the service goes on.
    Warning {
        /// In a sentence.
        message: String,
    },
    /// It takes no more connections and ends once the calls in flight are answered.
    Draining,
    /// Every call in flight was answered, or the time for it was over.
    Stopped {
        /// Connections that were cut.
        n_cut: usize,
    },
}

/// What tells a serving service to do something.
#[derive(Debug)]
pub struct Signals {
    /// Gives a unit when the service is to stop, and another when it is not to wait any longer.
    pub stop: mpsc::Receiver<()>,
    /// Gives a unit whenever the policy is to be read again.
    pub reload: mpsc::Receiver<()>,
}

/// Serves until the process is told to stop, as a command does: SIGTERM or SIGINT stop, a second
/// one stops at once, and SIGHUP, or a change of one of the `watched` files, reads the policy again.
///
/// # Errors
/// The operating system's, where there are no threads or signals to be had, or an address cannot
/// be listened at.
#[cfg(unix)]
pub fn run(
    service: &Arc<Service>,
    reload: Reload,
    watched: Vec<PathBuf>,
    tell: impl Fn(Event) + Send + Sync + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stop, stopping) = mpsc::channel(2);
        let (again, reloading) = mpsc::channel(1);
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            tokio::spawn(pass_on(signal(kind)?, stop.clone()));
        }
        tokio::spawn(pass_on(signal(SignalKind::hangup())?, again.clone()));
        if let Some(seconds) = service.settings.watch_s.filter(|&seconds| 0 < seconds) {
            tokio::spawn(watch_files(watched, Duration::from_secs(seconds), again));
        }
        let signals = Signals { stop: stopping, reload: reloading };
        serve(Arc::clone(service), reload, signals, tell).await
    })
}

#[cfg(unix)]
async fn pass_on(mut from: Signal, to: mpsc::Sender<()>) {
    while from.recv().await.is_some() {
        // A channel that is full holds the same signal already.
        let _is_new = to.try_send(());
    }
}

/// Says when a file has become another, by its length and time of change.
async fn watch_files(files: Vec<PathBuf>, every: Duration, changed: mpsc::Sender<()>) {
    let look = || files.iter().map(|file| stamp(file)).collect::<Vec<_>>();
    let mut seen = look();
    let mut every = time::interval(every);
    loop {
        every.tick().await;
        let found = look();
        if found != seen {
            seen = found;
            let _is_new = changed.try_send(());
        }
    }
}

fn stamp(file: &Path) -> Option<(u64, SystemTime)> {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

/// Listens at an address, or says which one it was and how another is named.
async fn listen(address: SocketAddr, flag: &str) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let sentence = format!(
            "cannot listen at {address} ({error}); stop what listens there, or name another address \
             with {flag}"
        );
        io::Error::new(error.kind(), sentence)
    })
}

/// Serves until told to stop, then drains.
/// # Errors
/// The operating system's, where an address cannot be listened at.
pub async fn serve(
    service: Arc<Service>,
    reload: Reload,
    signals: Signals,
    tell: impl Fn(Event) + Send + Sync + 'static,
) -> io::Result<()> {
    let tell = Arc::new(tell);
    let callers = listen(service.settings.listen, "--listen").await?;
    let operators = listen(service.settings.admin_listen, "--admin-listen").await?;
    tell(Event::Listening { callers: callers.local_addr()?, operators: operators.local_addr()? });
    let (stop, stopped) = watch::channel(());
    // Operators are answered to the end, so that whoever asks meanwhile hears that it stops.
    let (end, ended) = watch::channel(());
    let limits = &service.settings.limits;
    let header_wait = Duration::from_millis(limits.header_ms);
    let drain_wait = Duration::from_millis(limits.drain_ms);
    let (n_callers, n_operators) = (limits.connections, 64);
    let open = Arc::new(Semaphore::new(n_callers));
    let open_operators = Arc::new(Semaphore::new(n_operators));
    let front_behind = Front { stopped: ended, header_wait };
    let front = Front { stopped, header_wait };
    let to_callers = http::callers(Arc::clone(&service));
    let to_callers = Paths::new(&service, Plane::Callers, to_callers);
    let to_operators = http::admin(Arc::clone(&service), Arc::clone(&reload));
    let to_operators = Paths::new(&service, Plane::Operators, to_operators);
    let accepting = tokio::spawn(accept(callers, to_callers, Arc::clone(&open), front));
    let operating = tokio::spawn(accept(operators, to_operators, open_operators, front_behind));
    let ticking = tokio::spawn(tick(Arc::clone(&service), Arc::clone(&tell)));
    let Signals { stop: mut stop_signal, reload: reload_signal } = signals;
    let reloading =
        tokio::spawn(on_reload(Arc::clone(&service), reload, reload_signal, Arc::clone(&tell)));
    let _told = stop_signal.recv().await;
    service.drain();
    tell(Event::Draining);
    accepting.abort();
    drop(stop);
    let all = u32::try_from(n_callers).unwrap_or(u32::MAX);
    let told_again = async {
        if stop_signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    let n_cut = tokio::select! {
        _all = open.acquire_many(all) => 0,
        () = time::sleep(drain_wait) => n_callers - open.available_permits(),
        () = told_again => n_callers - open.available_permits(),
    };
    for task in [operating, ticking, reloading] {
        task.abort();
    }
    drop(end);
    tell(Event::Stopped { n_cut });
    Ok(())
}

/// What every connection is given.
#[derive(Clone)]
struct Front {
    stopped: watch::Receiver<()>,
    header_wait: Duration,
}

/// Who answers the calls of one listener.
#[derive(Clone)]
struct Paths {
    service: Arc<Service>,
    plane: Plane,
    router: TowerToHyperService<Router>,
}

impl Paths {
    fn new(service: &Arc<Service>, plane: Plane, router: Router) -> Self {
        Self { service: Arc::clone(service), plane, router: TowerToHyperService::new(router) }
    }
}

async fn answer(paths: Arc<Paths>, request: Request<Incoming>) -> Result<Response, Infallible> {
    let service = &paths.service;
    if let Some(refused) = http::unfit(service, &request) {
        return Ok(refused);
    }
    let decides = match paths.plane {
        Plane::Callers => http::Decides::of(&request),
        Plane::Operators => None,
    };
    // Nearly every call is one, and what a router does for any path costs more than the reading of its
    // body.
    if let Some(decides) = decides {
        return Ok(http::answer(service, (decides, request)).await);
    }
    // In a box, so that a call that goes straight has no room to keep for it.
    Box::pin(paths.router.call(request)).await
}

async fn accept(listener: TcpListener, paths: Paths, open: Arc<Semaphore>, front: Front) {
    loop {
        let Ok(permit) = Arc::clone(&open).acquire_owned().await else { return };
        let Ok((stream, _from)) = listener.accept().await else {
            // Out of descriptors, most likely: some time has to pass, or this would spin.
            time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Counted by the connection alone, so that calls of others do not wait for the count.
        let (paths, front) = (Arc::new(paths.clone()), front.clone());
        tokio::spawn(async move {
            connection(stream, paths, front).await;
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, paths: Arc<Paths>, front: Front) {
    let Front { mut stopped, header_wait } = front;
    // Small replies go out at once; where the socket does not take the option they go out later.
    let _is_set = stream.set_nodelay(true);
    let wire = Wire::new(stream, Arc::clone(&paths.service));
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_wait)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_HEADER_BYTES)
        // A caller may end its side once it has asked; nor is there a second buffer for each call, to
        // see whether it has.
        .half_close(true)
        .serve_connection(
            TokioIo::new(wire),
            service_fn(move |request| answer(Arc::clone(&paths), request)),
        );
    tokio::pin!(serving);
    tokio::select! {
        // What a caller does to its own connection is not the service's to report.
        _ended = serving.as_mut() => {}
        _stop = stopped.changed() => {
            serving.as_mut().graceful_shutdown();
            let _ended = serving.await;
        }
    }
}

async fn tick(service: Arc<Service>, tell: Arc<impl Fn(Event) + Send + Sync + 'static>) {
    let mut every = time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        let at = Arc::clone(&service);
        let problems = tokio::task::spawn_blocking(move || at.upkeep()).await.unwrap_or_default();
        for message in problems {
            tell(Event::Warning { message });
        }
    }
}

async fn on_reload(
    service: Arc<Service>,
    reload: Reload,
    mut signal: mpsc::Receiver<()>,
    tell: Arc<impl Fn(Event) + Send + Sync + 'static>,
) {
    while signal.recv().await.is_some() {
        let (at, reload) = (Arc::clone(&service), Arc::clone(&reload));
        let done = aside::run(move || reload(&at)).await;
        tell(match done.unwrap_or_else(|| Err("a bug ended the reload".to_owned())) {
            Ok(digest) => Event::Reloaded { digest },
            Err(message) => Event::Warning { message },
        });
    }
}
