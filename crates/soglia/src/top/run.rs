//! The loop over keys and looks.

use std::{
    io,
    time::{Duration, Instant},
};

use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::{
    draw::draw,
    look::Watcher,
    screen::{Act, Screen},
    style::Look,
    terminal::{Shown, Signals, die_of},
};
use crate::opened::Opened;

/// How a screen is shown.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The time between two looks.
    pub every: Duration,
    /// Whether to use colours.
    pub colours: bool,
}

/// How long to wait for a key before signals are looked for.
const PATIENCE: Duration = Duration::from_millis(200);

/// Shows a recording until the user quits.
///
/// # Errors
/// If the terminal cannot be used, or the recording cannot be read at all.
pub fn run(opened: Opened, settings: Settings) -> io::Result<()> {
    let mut watcher = Watcher::new(opened);
    let look = watcher.look().map_err(io::Error::other)?;
    let mut screen = Screen::new(look, settings.every);
    let signals = Signals::watch()?;
    let mut shown = Shown::new()?;
    let result = watch(&mut screen, &mut watcher, &signals, &mut shown, settings);
    drop(shown);
    if let Some(signal) = signals.ends() {
        die_of(signal)?;
    }
    result
}

fn watch(
    screen: &mut Screen,
    watcher: &mut Watcher,
    signals: &Signals,
    shown: &mut Shown,
    settings: Settings,
) -> io::Result<()> {
    let colours = Look {
        colours: settings.colours,
    };
    let mut last = Instant::now();
    let mut changed = true;
    loop {
        if changed {
            shown.terminal.draw(|frame| draw(frame, screen, colours))?;
            changed = false;
        }
        if signals.ends().is_some() {
            return Ok(());
        }
        if signals.stops() {
            shown.suspend()?;
            changed = true;
        } else if signals.continues() {
            shown.resume()?;
            changed = true;
        }
        let due = screen.every.saturating_sub(last.elapsed());
        if event::poll(due.min(PATIENCE))? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match screen.press(key) {
                    Act::Quit => return Ok(()),
                    Act::Suspend => shown.suspend()?,
                    Act::Redraw => shown.redraw()?,
                    Act::Nothing => {}
                },
                // With the new size there is nothing to compare with.
                Event::Resize(..) => shown.redraw()?,
                _ => {}
            }
            changed = true;
        }
        let rests = screen.paused || screen.is_over();
        if last.elapsed() >= screen.every {
            last = Instant::now();
            if !rests {
                match watcher.look() {
                    Ok(look) => screen.update(look),
                    Err(error) => screen.trouble = Some(error.to_string()),
                }
                changed = true;
            }
        }
    }
}
