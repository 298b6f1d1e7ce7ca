//! The bars of several progruns in one picture: when to draw for others, when to have another one draw, and what guests
//! hand over. How the progruns find each other and what they say is in `company.rs`.

use super::Bars;
use super::company::{self, Claim, Guest, Holder};

impl Bars {
    /// Finds out which progrun draws on this terminal: we, if no other one does. `draws`: there is a frame to draw.
    pub(super) fn settle_company(&mut self, draws: bool) {
        if self.direct || self.hold.is_lent() || self.screen.is_guest() {
            return;
        }
        let is_ours = self.screen.is_ours();
        if !is_ours {
            self.stop_drawing_for_others();
        }
        if self.claim.as_ref().is_some_and(Claim::holds) {
            return;
        }
        if self.claim.is_some() {
            self.stop_drawing_for_others();
        }
        // In the background, too: what is printed there goes through the one that draws in the foreground.
        let holder = if draws && is_ours {
            company::claim()
        } else {
            company::look()
        };
        match holder {
            Holder::Us(claim) => self.claim = Some(claim),
            Holder::Another(socket) => {
                if let Some(guest) = Guest::of(&socket) {
                    self.clear();
                    self.switch_taskbar_off();
                    self.send();
                    for view in self.views.values_mut() {
                        view.output.show_whole_lines();
                    }
                    self.screen.become_guest(guest);
                }
            }
            Holder::Stopped(_) | Holder::None => {}
        }
    }

    /// The terminal is not ours to draw on, or will not be: another progrun may draw, and its guests go there.
    pub(super) fn stop_drawing_for_others(&mut self) {
        self.claim = None;
        // What they have handed over is on its way to the terminal: they hear of it all the same.
        self.visitors.clear();
    }

    /// Takes in what our guests hand over. Says whether there is anything new.
    pub(super) fn hear_visitors(&mut self) -> bool {
        let mut texts = Vec::new();
        let count = self.visitors.len();
        self.visitors.retain_mut(|visitor| match visitor.hear() {
            Ok(None) => true,
            Ok(Some(text)) => {
                texts.push(text);
                true
            }
            Err(_) => false,
        });
        let news = count != self.visitors.len() || !texts.is_empty();
        for (text, permit) in texts {
            self.permits.push(permit);
            if !text.is_empty() {
                self.clear();
                self.end_line();
                self.screen.write(&text);
                // The next text begins on a line of its own.
                self.loose_end |= text.last() != Some(&b'\n');
            }
        }
        news
    }
}
