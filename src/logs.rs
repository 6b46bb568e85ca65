//! The log: a line an event on standard error, for people or as JSON.

use crate::cli::LogArgs;
use crate::failure::Failure;
use std::io::IsTerminal;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};
#[cfg(feature = "network")]
use veilgrid_node::http::note_malformed;

/// Starts logging with the filter of the command line, or else this one.
///
/// # Errors
/// A filter that can't be read.
pub fn start_logs(args: &LogArgs, default: &str) -> Result<(), Failure> {
    let (origin, text) = match &args.log {
        Some(text) => (origin_of(std::env::args()), text.as_str()),
        None => ("log", default),
    };
    check_levels(text).map_err(|why| Failure::Input(format!("{origin} {text}: {why}")))?;
    let filter = EnvFilter::try_new(text)
        .map_err(|error| Failure::Input(format!("{origin} {text}: {error}; try warn or debug")))?;
    let colours = std::io::stderr().is_terminal() && !args.log_json;
    let lines = fmt::layer().with_writer(crate::last_words::Logs::default).with_ansi(colours);
    let lines = if args.log_json { lines.json().boxed() } else { lines.boxed() };
    let own = filter_fn(|metadata| !is_strangers(metadata));
    // The counting comes last: it makes a line of its own out of each of theirs.
    let registry = tracing_subscriber::registry()
        .with(lines.with_filter(filter.and(own)))
        .with(Strangers.with_filter(filter_fn(is_strangers)));
    registry.init();
    if args.log_json {
        log_panics();
    }
    Ok(())
}

/// Makes a panic a line of the log, instead of text that no reader of JSON understands.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
}

/// Where a filter comes from that stands above the configuration: its option, or else its variable of the environment.
fn origin_of(mut arguments: impl Iterator<Item = String>) -> &'static str {
    let is_option = |argument: String| argument == "--log" || argument.starts_with("--log=");
    if arguments.any(is_option) { "--log" } else { "VEILGRID_LOG" }
}

/// Whether a line is the web framework's ERROR about what a stranger sent. ERROR is what wakes somebody, and anybody can
/// send bytes that are no HTTP.
fn is_strangers(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    *metadata.level() == Level::ERROR && (target == "actix_http" || target.starts_with("actix_http::"))
}

/// Counts what strangers send that is no HTTP, and says it at the level DEBUG.
struct Strangers;

impl<S: Subscriber> Layer<S> for Strangers {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Without a network's libraries nobody listens.
        #[cfg(feature = "network")]
        note_malformed();
        let mut message = Message(String::new());
        event.record(&mut message);
        tracing::debug!(what = message.0, "a connection is closed: what came is no HTTP");
    }
}

/// The message of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// The filter's own parser takes a word that is no level for the name of a part of the program, and then no line of any other
/// part is written, ERROR included. So a word that stands alone has to be a level.
fn check_levels(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.contains(&word.to_ascii_lowercase().as_str());
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        // Spans and fields are in brackets; they are the parser's own business.
        let level = match directive.rsplit_once('=') {
            Some((part, level)) if !level.contains([']', '}']) && !part.is_empty() => level,
            None if !directive.contains('[') => directive,
            _ => continue,
        };
        if !is_level(level.trim()) {
            let levels = LEVELS.join(", ");
            return Err(format!(
                "there is no level {level:?}; levels are {levels}, for one part of the program veilgrid_node=debug"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    #[cfg(feature = "network")]
    use veilgrid_node::http::malformed;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("lines").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_strangers_send_is_counted_and_no_error() {
        let lines = Lines::default();
        let writer = lines.clone();
        let shown = fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let own = filter_fn(|metadata| !is_strangers(metadata));
        let registry = tracing_subscriber::registry()
            .with(shown.with_filter(EnvFilter::new("info").and(own)))
            .with(Strangers.with_filter(filter_fn(is_strangers)));
        #[cfg(feature = "network")]
        let before = malformed();
        tracing::subscriber::with_default(registry, || {
            tracing::error!(target: "actix_http::h1::dispatcher", "stream error: bad");
            tracing::error!(target: "actix_server::accept", "no files left");
            tracing::error!("own");
        });
        let text = String::from_utf8(lines.0.lock().expect("lines").clone()).expect("UTF-8");
        assert!(!text.contains("stream error"), "{text}");
        assert!(text.contains("no files left") && text.contains("own"), "{text}");
        #[cfg(feature = "network")]
        assert_eq!(malformed(), before + 1);
    }

    #[test]
    fn a_panic_is_one_line_of_json() {
        let lines = Lines::default();
        let writer = lines.clone();
        let registry =
            tracing_subscriber::registry().with(fmt::layer().with_writer(move || writer.clone()).json());
        let before = std::panic::take_hook();
        log_panics();
        let panicked = tracing::subscriber::with_default(registry, || {
            std::panic::catch_unwind(|| panic!("the first line\nand another"))
        });
        std::panic::set_hook(before);
        assert!(panicked.is_err());
        let text = String::from_utf8(lines.0.lock().expect("lines").clone()).expect("UTF-8");
        let value: serde_json::Value = serde_json::from_str(text.trim_end()).expect("one line of JSON");
        assert_eq!(value["level"], "ERROR");
        let message = value["fields"]["message"].as_str().expect("a message");
        assert!(message.contains("the first line\nand another"), "{message}");
    }

    #[test]
    fn a_filter_is_named_by_where_it_stands() {
        let origin = |words: &[&str]| origin_of(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(origin(&["veilgrid", "clear", "--log", "x"]), "--log");
        assert_eq!(origin(&["veilgrid", "--log=x", "clear"]), "--log");
        assert_eq!(origin(&["veilgrid", "clear", "--log-json"]), "VEILGRID_LOG");
    }

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for good in [
            "warn",
            "INFO",
            "info,veilgrid_engine=debug",
            "off",
            "",
            "veilgrid_node=trace, error",
            "warn,[round{id=3}]=debug",
        ] {
            assert_eq!(check_levels(good), Ok(()), "{good}");
        }
        for (bad, word) in [
            ("warning", "warning"),
            ("info,veilgrid_node=verbose", "verbose"),
            ("veilgrid_node", "veilgrid_node"),
        ] {
            assert!(check_levels(bad).expect_err(bad).contains(word), "{bad}");
        }
    }
}
