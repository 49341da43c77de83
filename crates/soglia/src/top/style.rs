//! How things look.

use ratatui::style::{Color, Modifier, Style};

/// Styles by what they mean. Without colours, marks and attributes say the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) colours: bool,
}

impl Look {
    const fn with(self, colour: Color, otherwise: Modifier) -> Style {
        if self.colours {
            Style::new().fg(colour)
        } else {
            Style::new().add_modifier(otherwise)
        }
    }

    pub(super) const fn head(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) const fn dim(self) -> Style {
        self.with(Color::DarkGray, Modifier::DIM)
    }

    pub(super) const fn warn(self) -> Style {
        self.with(Color::Yellow, Modifier::BOLD)
    }

    pub(super) const fn good(self) -> Style {
        self.with(Color::Green, Modifier::empty())
    }

    pub(super) const fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
