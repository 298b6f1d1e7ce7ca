//! How the child's stdout and stderr are connected, so that the output reaches the sinks that show it. Knows no sink.

use rustix::stdio::{stderr, stdout};
use rustix::termios::isatty;

use crate::model::route::Route;
use crate::system::closed;

use super::display::{Display, Show, Tty};
use super::standard::is_same_place;

/// Whether a terminal shows the child's output.
#[must_use]
pub(crate) fn is_on_screen(display: &Display) -> bool {
    display.shows_output() && (isatty(stdout()) || isatty(stderr()))
}

/// Whether the output of a stream comes to us, so that a sink has to show it.
pub(super) fn goes_through(route: Route) -> bool {
    matches!(route, Route::Piped | Route::Carried | Route::Terminal)
}

/// How stdout and stderr are connected; `shared` says which of them is the terminal of the bars, `carried` which
/// of them go through us because text of ours stands between their lines, and `reads` whether they are read in any
/// case.
pub(super) fn routes(
    display: &Display,
    shared: [bool; 2],
    carried: [bool; 2],
    reads: bool,
) -> [Route; 2] {
    if display.elsewhere {
        return [Route::Piped; 2];
    }
    let mut routes = routes_apart(display, shared, reads);
    for (route, is_carried) in routes.iter_mut().zip(carried) {
        if is_carried && *route == Route::Inherit {
            *route = Route::Carried;
        }
    }
    let together = match display.output {
        // Its events say which of the two it was.
        _ if display.has_json_on_stdout() => false,
        Show::Stream | Show::Group | Show::Lines | Show::OnFailure => is_same_place(),
        Show::None => display.logs.is_any(),
    };
    match routes {
        // By two ways into one place, the order in which the child wrote would be lost.
        [Route::Piped, Route::Piped]
        | [Route::Carried, Route::Carried]
        | [Route::Terminal, Route::Terminal]
            if together =>
        {
            [routes[0], Route::Joined]
        }
        routes => routes,
    }
}

/// How stdout and stderr are connected if each is looked at alone.
fn routes_apart(display: &Display, shared: [bool; 2], reads: bool) -> [Route; 2] {
    let visible = display.shows_output();
    let needed = display.logs.is_any()
        || display
            .many
            .as_ref()
            .is_some_and(|many| many.folder.is_some() || many.tagged)
        || matches!(display.output, Show::OnFailure | Show::Group | Show::Lines)
        || display.has_json_on_stdout()
        || display.remote
        || reads;
    let route = |shared: bool, terminal: bool| match (display.output, display.tty) {
        (Show::None, Tty::Auto | Tty::Never | Tty::Own) if !needed => Route::Discard,
        (Show::Stream, tty) if !needed && (!shared || tty == Tty::Own) => Route::Inherit,
        (_, Tty::Always) => Route::Terminal,
        (_, Tty::Auto | Tty::Own) if visible && terminal => Route::Terminal,
        (_, Tty::Auto | Tty::Never | Tty::Own) => Route::Piped,
    };
    let routes = [
        route(shared[0], isatty(stdout())),
        route(shared[1], isatty(stderr())),
    ];
    // A stream that is closed for us is closed for the command, whatever else is wanted of it: the command has to see
    // that.
    [(1, routes[0]), (2, routes[1])].map(|(number, route)| {
        if closed::was_closed(number) && display.remote {
            Route::Discard
        } else if closed::was_closed(number) {
            Route::Inherit
        } else {
            route
        }
    })
}
