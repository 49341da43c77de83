//! The list of .NET programs, to choose from.

use std::{
    io,
    time::{Duration, Instant, SystemTime},
};

use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
    text::Line,
    widgets::Paragraph,
};
use soglia_core::plain::plain;

use super::{
    draw,
    run::Settings,
    style::Look,
    terminal::{Shown, Signals, die_of},
};
use crate::{
    running::{Program, programs},
    text,
};

/// How often to look for programs.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait for a key before signals are looked for.
const PATIENCE: Duration = Duration::from_millis(200);

/// What a key in the list means.
enum Act {
    Nothing,
    Quit,
    Choose,
}

/// The programs, and the one that is selected.
struct Choice {
    programs: Vec<Program>,
    selected: usize,
    /// Whether the user is being asked to attach to it.
    is_asking: bool,
    /// Whether the user has agreed beforehand.
    agreed: bool,
}

/// Has the user choose a program. Returns `None` if the user quits. Asks before it returns one that
/// nothing records, unless the user has agreed to attach to it.
///
/// # Errors
/// If the terminal cannot be used.
pub fn choose(settings: Settings, agreed: bool) -> io::Result<Option<Program>> {
    let signals = Signals::watch()?;
    let mut choice = Choice {
        programs: programs(),
        selected: 0,
        is_asking: false,
        agreed,
    };
    let mut shown = Shown::new()?;
    let chosen = ask(&mut choice, &signals, &mut shown, settings);
    drop(shown);
    if let Some(signal) = signals.ends() {
        die_of(signal)?;
    }
    chosen
}

fn ask(
    choice: &mut Choice,
    signals: &Signals,
    shown: &mut Shown,
    settings: Settings,
) -> io::Result<Option<Program>> {
    let look = Look {
        colours: settings.colours,
    };
    let mut last = Instant::now();
    loop {
        shown.terminal.draw(|frame| list(frame, choice, look))?;
        if signals.ends().is_some() {
            return Ok(None);
        }
        if signals.stops() {
            shown.suspend()?;
        } else if signals.continues() {
            shown.resume()?;
        }
        if event::poll(PATIENCE)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            match choice.press(key) {
                Act::Quit => return Ok(None),
                Act::Choose => {
                    return Ok(Some(choice.programs.swap_remove(choice.selected)));
                }
                Act::Nothing => {}
            }
        }
        if last.elapsed() >= EVERY {
            last = Instant::now();
            choice.update(programs());
        }
    }
}

impl Choice {
    /// Shows these programs, and keeps the selection on the same one.
    fn update(&mut self, programs: Vec<Program>) {
        let selected = self.programs.get(self.selected).map(|program| program.pid);
        let at = programs
            .iter()
            .position(|program| Some(program.pid) == selected);
        // The one that is asked about has ended.
        self.is_asking &= at.is_some();
        self.selected = at
            .unwrap_or(self.selected)
            .min(programs.len().saturating_sub(1));
        self.programs = programs;
    }

    fn press(&mut self, key: KeyEvent) -> Act {
        let last = self.programs.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Act::Quit;
            }
            code if self.is_asking => {
                self.is_asking = false;
                if matches!(code, KeyCode::Char('y' | 'Y')) {
                    return Act::Choose;
                }
            }
            KeyCode::Char('q') | KeyCode::Esc => return Act::Quit,
            KeyCode::Enter | KeyCode::Right => match self.programs.get(self.selected) {
                Some(program) if program.is_recorded || self.agreed => return Act::Choose,
                Some(_) => self.is_asking = true,
                None => {}
            },
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            _ => {}
        }
        Act::Nothing
    }
}

/// A line about a program: its process, how long it runs or is recorded, whether it is recorded,
/// and its command line.
pub fn program_line(program: &Program) -> String {
    let since = SystemTime::now()
        .duration_since(program.since)
        .unwrap_or_default();
    let nanoseconds = since.as_nanos().try_into().unwrap_or(u64::MAX);
    let words = program.command_line.iter();
    let words: Vec<String> = words.map(|word| plain(word).to_string()).collect();
    format!(
        "{:>9} {:>9}  {:<8}  {}",
        program.pid,
        text::time(nanoseconds),
        if program.is_recorded { "yes" } else { "no" },
        words.join(" ")
    )
}

/// What stands above such lines.
pub fn heading() -> String {
    format!("{:>9} {:>9}  recorded  command", "process", "for")
}

fn list(frame: &mut Frame<'_>, choice: &Choice, look: Look) {
    let columns = usize::from(frame.area().width);
    let height = usize::from(frame.area().height);
    let mut lines = vec![
        Line::from(".NET programs (Enter watches one, q quits)"),
        Line::default(),
        Line::styled(heading(), look.head()),
    ];
    // The last line is for the question.
    let room = height.saturating_sub(lines.len() + 1).max(1);
    let first = (choice.selected + 1).saturating_sub(room);
    let shown = choice.programs.iter().enumerate().skip(first).take(room);
    lines.extend(shown.map(|(n, program)| {
        let line = Line::from(draw::words::padded(&program_line(program), columns));
        match n == choice.selected {
            true => line.style(look.selected()),
            false => line,
        }
    }));
    if choice.programs.is_empty() {
        lines.push(Line::styled(
            "  none that you may look at: `soglia run` starts one",
            look.dim(),
        ));
    }
    let asked = choice.programs.get(choice.selected);
    if let Some(program) = asked.filter(|_| choice.is_asking) {
        lines.resize(height.saturating_sub(1), Line::default());
        let question = format!(
            "Attach soglia to process {} until you quit? y attaches, other keys do not",
            program.pid
        );
        lines.push(Line::styled(question, look.warn()));
    }
    frame.render_widget(Paragraph::new(lines), frame.area());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(pid: u32) -> Program {
        Program {
            pid,
            is_recorded: pid % 2 == 1,
            command_line: vec!["dotnet".into(), "shop.dll".into(), "a\u{1b}b".into()],
            since: SystemTime::now(),
        }
    }

    fn choice(pids: &[u32], agreed: bool) -> Choice {
        Choice {
            programs: pids.iter().copied().map(program).collect(),
            selected: 0,
            is_asking: false,
            agreed,
        }
    }

    fn press(choice: &mut Choice, code: KeyCode) -> Act {
        choice.press(KeyEvent::from(code))
    }

    #[test]
    fn the_selection_stays_on_a_program() {
        let mut choice = choice(&[3, 5, 8], false);
        for _ in 0..2 {
            press(&mut choice, KeyCode::Down);
        }
        press(&mut choice, KeyCode::Up);
        assert_eq!(choice.selected, 1);
        choice.update([1, 3, 5].map(program).into());
        assert_eq!(choice.selected, 2);
        choice.update(vec![program(1)]);
        assert_eq!(choice.selected, 0);
        assert!(matches!(press(&mut choice, KeyCode::Enter), Act::Choose));
        choice.update(Vec::new());
        press(&mut choice, KeyCode::Down);
        assert_eq!(choice.selected, 0);
        assert!(matches!(press(&mut choice, KeyCode::Enter), Act::Nothing));
        assert!(matches!(press(&mut choice, KeyCode::Char('q')), Act::Quit));
    }

    #[test]
    fn attaching_needs_a_yes() {
        let mut choice = choice(&[3, 4], false);
        press(&mut choice, KeyCode::Down);
        for no in [
            KeyCode::Enter,
            KeyCode::Char('n'),
            KeyCode::Esc,
            KeyCode::Up,
        ] {
            assert!(matches!(press(&mut choice, KeyCode::Enter), Act::Nothing));
            assert!(choice.is_asking && matches!(press(&mut choice, no), Act::Nothing));
            assert_eq!((choice.is_asking, choice.selected), (false, 1), "{no:?}");
        }
        press(&mut choice, KeyCode::Enter);
        assert!(matches!(
            press(&mut choice, KeyCode::Char('y')),
            Act::Choose
        ));
        // Another program must not be attached to because the one that was asked about has ended.
        press(&mut choice, KeyCode::Enter);
        choice.update(vec![program(3), program(6)]);
        assert!(matches!(
            press(&mut choice, KeyCode::Char('y')),
            Act::Nothing
        ));
        let mut agreed = self::choice(&[4], true);
        assert!(matches!(press(&mut agreed, KeyCode::Enter), Act::Choose));
    }

    #[test]
    fn the_question_is_on_the_last_line() {
        let mut choice = choice(&[4, 6, 8, 10], false);
        let backend = ratatui::backend::TestBackend::new(80, 6);
        let mut terminal = ratatui::Terminal::new(backend).unwrap();
        let look = Look { colours: false };
        let mut drawn = |choice: &Choice| {
            terminal.draw(|frame| list(frame, choice, look)).unwrap();
            terminal.backend().to_string()
        };
        let before = drawn(&choice);
        assert!(
            before.contains("        6 ") && !before.contains("        8 "),
            "{before}"
        );
        press(&mut choice, KeyCode::Enter);
        let asked = drawn(&choice);
        let last = asked.lines().last().unwrap();
        assert!(
            last.contains("Attach soglia to process 4 until you quit? y attaches"),
            "{asked}"
        );
        assert!(asked.contains("        6 "), "{asked}");
    }

    #[test]
    fn a_line_has_no_control_characters() {
        let line = program_line(&program(12));
        assert!(
            line.ends_with("  no        dotnet shop.dll a\\x1bb"),
            "{line}"
        );
    }
}
