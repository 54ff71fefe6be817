//! What an attack is.

/// One way to do harm, and what must hold all the same.
#[derive(Clone, Copy)]
pub struct Attack {
    pub name: &'static str,
    /// What the attacker does, in shell.
    pub does: &'static str,
    /// What a careless daemon would do in the workspace. It springs the trap, which proves that there is one.
    pub sprung_by: Option<&'static str>,
    pub must: Must,
}

/// What becomes of the honest work beside the attack.
#[derive(Clone, Copy)]
pub enum Must {
    /// It is delivered: `answer.txt`, and these paths.
    Deliver(&'static [&'static str]),
    /// The ticket is handed back, with these words in the reason.
    Refuse(&'static str),
}

pub const fn attack(name: &'static str, must: Must) -> Attack {
    Attack { name, does: "", sprung_by: None, must }
}

impl Attack {
    pub const fn doing(self, does: &'static str) -> Self {
        Self { does, ..self }
    }

    pub const fn sprung_by(self, command: &'static str) -> Self {
        Self { sprung_by: Some(command), ..self }
    }
}
