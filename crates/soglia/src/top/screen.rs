//! What is shown, and what a key does to it. Nothing here draws.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    look::Look,
    rows::{self, Key, Sort, TargetLine, ThreadLine},
};

/// The lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    #[default]
    Targets,
    Threads,
    Findings,
}

impl Tab {
    pub(super) const ALL: [Self; 3] = [Self::Targets, Self::Threads, Self::Findings];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Targets => "Targets",
            Self::Threads => "Threads",
            Self::Findings => "Findings",
        }
    }
}

/// One thing in full, in place of the lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Target(Key),
    Thread(u32),
    Help,
}

/// What the loop has to do about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// Leave.
    Quit,
    /// Stop, as the shell's job control asks for.
    Suspend,
    /// Draw all of the screen again.
    Redraw,
}

/// The shortest and the longest time between two looks.
const FASTEST: Duration = Duration::from_millis(250);
const SLOWEST: Duration = Duration::from_secs(60);

/// All that decides what is on the screen.
#[derive(Debug)]
pub struct Screen {
    pub(super) look: Look,
    pub(super) tab: Tab,
    pub(super) page: Option<Page>,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    /// Numbers are those of the whole run, not those since the last look.
    pub(super) whole: bool,
    /// The runtime's own targets are shown too.
    pub(super) all: bool,
    /// Only what contains this is listed.
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    pub(super) paused: bool,
    pub(super) every: Duration,
    /// The selected row of each tab.
    selected: [usize; 3],
    /// The first line of a page that is shown.
    pub(super) scroll: usize,
    /// What went wrong at the last look.
    pub(super) trouble: Option<String>,
    /// Lines of the list, or of a page, that fitted when it was drawn.
    pub(super) fits: usize,
    /// Lines of the page when it was drawn.
    pub(super) page_lines: usize,
}

impl Screen {
    /// The screen at the beginning.
    pub(super) fn new(look: Look, every: Duration) -> Self {
        Self {
            look,
            tab: Tab::default(),
            page: None,
            sort: Sort::default(),
            reversed: false,
            whole: false,
            all: false,
            filter: String::new(),
            typing: false,
            paused: false,
            every: every.clamp(FASTEST, SLOWEST),
            selected: [0; 3],
            scroll: 0,
            trouble: None,
            fits: 10,
            page_lines: 0,
        }
    }

    /// Shows a later look, unless the screen is paused.
    pub(super) fn update(&mut self, look: Look) {
        self.trouble = None;
        self.look = look;
    }

    /// Whether there is nothing more to look at.
    pub(super) fn is_over(&self) -> bool {
        self.look.whole.ended != "running"
    }

    /// The targets of the list, in its order.
    pub(super) fn targets(&self) -> Vec<TargetLine> {
        let mut lines = rows::targets(&self.look, self.whole);
        lines.retain(|line| (self.all || !line.is_internal) && self.passes(&line.name));
        rows::sort(&mut lines, self.sort, self.reversed);
        lines
    }

    /// The threads of the list.
    pub(super) fn threads(&self) -> Vec<ThreadLine> {
        let mut lines = rows::threads(&self.look, self.whole);
        lines.retain(|line| {
            let inside = line
                .inside
                .as_ref()
                .is_some_and(|(_, name, _)| self.passes(name));
            inside || self.passes(&line.what)
        });
        lines
    }

    fn passes(&self, name: &str) -> bool {
        let wanted = self.filter.to_lowercase();
        wanted.is_empty() || name.to_lowercase().contains(&wanted)
    }

    /// The selected row of the open tab, of so many.
    pub(super) fn selected(&self, of: usize) -> usize {
        self.selected[self.tab as usize].min(of.saturating_sub(1))
    }

    /// Does what a key asks for.
    pub(super) fn press(&mut self, key: KeyEvent) -> Act {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Act::Quit,
                KeyCode::Char('z') => Act::Suspend,
                KeyCode::Char('l') => Act::Redraw,
                _ => Act::Nothing,
            };
        }
        if self.typing {
            self.type_filter(key.code);
            return Act::Nothing;
        }
        match key.code {
            KeyCode::Char('q') => return Act::Quit,
            KeyCode::Char('?' | 'h') | KeyCode::F(1) => {
                self.page = (self.page != Some(Page::Help)).then_some(Page::Help);
                self.scroll = 0;
            }
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left if self.page.is_some() => {
                self.page = None;
                self.scroll = 0;
            }
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/') => {
                self.page = None;
                self.typing = true;
            }
            KeyCode::Char(' ' | 'p') => self.paused = !self.paused,
            KeyCode::Char('w') => self.whole = !self.whole,
            KeyCode::Char('a') => self.all = !self.all,
            KeyCode::Char('s') => self.sort = self.sort.step(1),
            KeyCode::Char('S') => self.sort = self.sort.step(Sort::ALL.len() - 1),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('+') => self.every = (self.every / 2).max(FASTEST),
            KeyCode::Char('-') => self.every = (self.every * 2).min(SLOWEST),
            KeyCode::Tab => self.open_tab(Tab::ALL[(self.tab as usize + 1) % 3]),
            KeyCode::BackTab => self.open_tab(Tab::ALL[(self.tab as usize + 2) % 3]),
            KeyCode::Char(digit @ '1'..='3') => {
                self.open_tab(Tab::ALL[digit as usize - '1' as usize]);
            }
            KeyCode::Enter | KeyCode::Right => self.open_page(),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::PageUp => self.go(-(self.fits.max(1) as isize)),
            KeyCode::PageDown => self.go(self.fits.max(1) as isize),
            KeyCode::Home | KeyCode::Char('g') => self.go(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.go(isize::MAX),
            _ => {}
        }
        Act::Nothing
    }

    fn type_filter(&mut self, code: KeyCode) {
        /// Longer ones match nothing.
        const LONGEST: usize = 100;
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.typing = false;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(typed) if self.filter.len() < LONGEST => self.filter.push(typed),
            _ => {}
        }
        self.selected = [0; 3];
    }

    fn open_tab(&mut self, tab: Tab) {
        self.tab = tab;
        self.page = None;
        self.scroll = 0;
    }

    fn open_page(&mut self) {
        if self.page.is_some() {
            return;
        }
        self.scroll = 0;
        self.page = match self.tab {
            Tab::Targets => {
                let mut lines = self.targets();
                let at = self.selected(lines.len());
                (at < lines.len()).then(|| Page::Target(lines.swap_remove(at).key))
            }
            Tab::Threads => {
                let lines = self.threads();
                let at = self.selected(lines.len());
                lines.get(at).map(|line| Page::Thread(line.task))
            }
            Tab::Findings => None,
        };
    }

    /// Moves the selection, or scrolls a page.
    fn go(&mut self, by: isize) {
        if self.page.is_some() || self.tab == Tab::Findings {
            let last = self.page_lines.saturating_sub(self.fits);
            self.scroll = self.scroll.saturating_add_signed(by).min(last);
            return;
        }
        let rows = match self.tab {
            Tab::Targets => self.targets().len(),
            _ => self.threads().len(),
        };
        let at = self.selected(rows);
        let last = rows.saturating_sub(1);
        self.selected[self.tab as usize] = at.saturating_add_signed(by).min(last);
    }
}
