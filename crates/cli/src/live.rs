//! A table that stays in its place on the terminal while lines of news scroll above it. Where
//! there is no terminal, only the news are printed.

use std::{
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use crossterm::{cursor, queue, style::Print, terminal};

/// How often what is drawn is drawn anew, so that its times run.
pub const DRAW_INTERVAL: Duration = Duration::from_millis(500);
/// Pause before a scheduler that went away is asked again.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Columns and rows of a terminal that does not say.
const SIZE_ASSUMED: (u16, u16) = (80, 24);

/// The table on the terminal.
#[derive(Debug)]
pub struct Live<W> {
    out: W,
    terminal: bool,
    drawn: u16,
}

impl Live<io::Stdout> {
    /// On stdout.
    #[must_use]
    pub fn stdout() -> Self {
        let out = io::stdout();
        let terminal = out.is_terminal();
        Self { out, terminal, drawn: 0 }
    }
}

/// Columns of the terminal that is stdout; `None` where stdout is none.
#[must_use]
pub fn columns() -> Option<usize> {
    let size = io::stdout().is_terminal().then(|| terminal::size().unwrap_or(SIZE_ASSUMED))?;
    Some(usize::from(size.0))
}

impl<W: Write> Live<W> {
    /// Prints news above the table. The table itself comes back with the next [`Self::draw`].
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        self.erase()?;
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// Draws the table in place of the one before. Lines are cut to the width of the terminal, and
    /// only as many as fit are shown.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        if !self.terminal {
            return Ok(());
        }
        self.erase()?;
        let (columns, rows) = terminal::size().unwrap_or(SIZE_ASSUMED);
        let fit = usize::from(rows.saturating_sub(1));
        let shown = if lines.len() > fit { fit.saturating_sub(1) } else { lines.len() };
        let more = (shown < lines.len()).then(|| format!("… and {} more", lines.len() - shown));
        for line in lines.iter().take(shown).chain(&more) {
            let cut: String = line.chars().take(usize::from(columns)).collect();
            queue!(self.out, Print(cut), Print("\n"))?;
            self.drawn += 1;
        }
        self.out.flush()
    }

    fn erase(&mut self) -> io::Result<()> {
        if self.drawn > 0 {
            queue!(
                self.out,
                cursor::MoveToPreviousLine(self.drawn),
                terminal::Clear(terminal::ClearType::FromCursorDown)
            )?;
            self.drawn = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_only_the_news_are_printed() {
        let mut live = Live { out: Vec::new(), terminal: false, drawn: 0 };
        live.draw(&["table".to_owned()]).unwrap();
        live.say("renewed").unwrap();
        assert_eq!(live.out, b"renewed\n");
    }

    #[test]
    fn news_take_the_table_away_before_they_are_printed() {
        let mut live = Live { out: Vec::new(), terminal: true, drawn: 0 };
        live.draw(&["a".to_owned(), "b".to_owned()]).unwrap();
        live.say("renewed").unwrap();
        let text = String::from_utf8(live.out).unwrap();
        assert_eq!(text, "a\nb\n\u{1b}[2F\u{1b}[Jrenewed\n");
    }
}
