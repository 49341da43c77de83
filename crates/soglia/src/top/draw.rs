//! Draws the screen, one file a part of it.

mod findings;
mod help;
mod list;
mod target;
mod targets;
mod thread;
mod threads;
pub(super) mod words;

use std::collections::HashSet;

use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    text::{Line, Span},
    widgets::Paragraph,
};
use soglia_core::plain::plain;

use super::{
    rows::state,
    screen::{Page, Screen, Tab},
    style::Look,
};
use crate::{model::TargetRow, text};
use words::{cut, fit, plural, rate, width};

/// The smallest screen that shows something useful.
const LEAST: (u16, u16) = (40, 8);

/// Draws the screen. Notes in it how many lines fitted.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &mut Screen, look: Look) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let small = format!("too small: {}x{} at least", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(small), area);
        return;
    }
    let rows = [
        Constraint::Length(3),
        Constraint::Fill(1),
        Constraint::Length(1),
    ];
    let [head, body, foot] = Layout::vertical(rows).areas(area);
    let columns = usize::from(area.width);
    frame.render_widget(Paragraph::new(self::head(screen, look, columns)), head);
    let height = usize::from(body.height);
    let lines = match screen.page.clone() {
        Some(page) => {
            let lines = match page {
                Page::Help => help::page(look),
                Page::Target(key) => target::page(screen, &key, look, columns),
                Page::Thread(task) => thread::page(screen, task, look, columns),
            };
            scrolled(screen, lines, height)
        }
        None => match screen.tab {
            Tab::Targets => targets::list(screen, look, columns, height),
            Tab::Threads => threads::list(screen, look, columns, height),
            Tab::Findings => {
                let lines = findings::list(screen, look, columns);
                scrolled(screen, lines, height)
            }
        },
    };
    frame.render_widget(Paragraph::new(lines), body);
    frame.render_widget(Paragraph::new(self::foot(screen, look, columns)), foot);
}

/// The part of a page that is shown.
fn scrolled(screen: &mut Screen, lines: Vec<Line<'static>>, height: usize) -> Vec<Line<'static>> {
    screen.fits = height;
    screen.page_lines = lines.len();
    screen.scroll = screen.scroll.min(lines.len().saturating_sub(height));
    lines.into_iter().skip(screen.scroll).take(height).collect()
}

/// The program, its rates, and the tabs.
fn head(screen: &Screen, look: Look, columns: usize) -> Vec<Line<'static>> {
    let model = &screen.look.whole;
    let recent = &screen.look.recent;
    let name = model.program.rsplit('/').next().unwrap_or_default();
    let attached = if model.attach.is_some() {
        "attached for "
    } else {
        ""
    };
    let state = format!(
        "process {}, {}, {attached}{}",
        model.pid.unwrap_or(0),
        state(model),
        text::time(model.duration_ns)
    );
    let style = if screen.is_over() {
        look.warn()
    } else {
        look.good()
    };
    let room = columns.saturating_sub(width(&state) + 2);
    let first = Line::from(vec![
        Span::styled(fit(&plain(name).to_string(), room), look.head()),
        Span::raw("  "),
        Span::styled(state, style),
    ]);
    let seconds = screen.look.period_ns(screen.whole) as f64 / 1e9;
    let shown = if screen.whole { model } else { recent };
    let alive = model.tasks.iter().filter(|task| !task.ended);
    let inside: HashSet<u32> = model.open.iter().map(|row| row.task).collect();
    let mut rates = vec![
        format!("{} calls/s", rate(shown.crossings.leave as f64 / seconds)),
        format!(
            "{} callbacks/s",
            rate(shown.crossings.reverse_enter as f64 / seconds)
        ),
        format!(
            "{}, {} in a call",
            plural(alive.count() as u64, "thread", "threads"),
            inside.len()
        ),
    ];
    let sum = |of: fn(&TargetRow) -> u64| model.targets.iter().map(of).fold(0, u64::saturating_add);
    for (calls, what) in [
        (sum(|row| row.failed), "failed"),
        (sum(|row| row.refused), "denied"),
    ] {
        if calls > 0 {
            rates.push(format!("{} {what}", plural(calls, "call", "calls")));
        }
    }
    let rates = rates.join(", ");
    let mut tabs = Vec::new();
    for (n, tab) in Tab::ALL.into_iter().enumerate() {
        let name = match (tab, findings::count(screen)) {
            (Tab::Findings, found) if found > 0 => format!(" {} {} ({found}) ", n + 1, tab.name()),
            _ => format!(" {} {} ", n + 1, tab.name()),
        };
        let style = if tab == screen.tab {
            look.selected()
        } else {
            look.dim()
        };
        tabs.push(Span::styled(name, style));
    }
    let mut what = vec![if screen.whole {
        "whole run".to_owned()
    } else {
        format!("last {}", text::time(screen.look.period_ns(false)))
    }];
    if screen.tab == Tab::Targets {
        let order = if screen.reversed { "least " } else { "" };
        what.push(format!("by {order}{}", screen.sort.name()));
    }
    if !screen.filter.is_empty() {
        what.push(format!("/{}", plain(&screen.filter)));
    }
    tabs.push(Span::raw("  "));
    tabs.push(Span::styled(what.join(", "), look.dim()));
    if screen.paused {
        tabs.push(Span::styled("  PAUSED", look.warn()));
    }
    vec![first, Line::from(cut(&rates, columns)), Line::from(tabs)]
}

/// The keys, or the filter that is being typed, or what went wrong.
fn foot(screen: &Screen, look: Look, columns: usize) -> Line<'static> {
    if screen.typing {
        let filter = plain(&screen.filter).to_string();
        return Line::from(format!(
            "filter: {filter}_  (Enter keeps it, Esc clears it)"
        ));
    }
    if let Some(trouble) = &screen.trouble {
        return Line::styled(cut(&plain(trouble).to_string(), columns), look.warn());
    }
    if screen.is_over() && screen.page.is_none() {
        let over = match screen.look.whole.ended {
            "detached" => "soglia has let go: these numbers stay   q quit  ? help",
            _ => "the program has ended: these numbers stay   q quit  ? help",
        };
        return Line::styled(cut(over, columns), look.warn());
    }
    let keys = if screen.page.is_some() {
        "Esc back  ↑↓ scroll  space pause  w window  q quit  ? help"
    } else {
        "Enter details  s sort  / filter  w window  a all  space pause  q quit  ? help"
    };
    Line::styled(cut(keys, columns), look.dim())
}

#[cfg(test)]
mod tests;
