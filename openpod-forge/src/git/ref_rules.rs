//! Which refs may be written, and by whom.
//!
//! ```text
//!                         create    update    delete
//! refs/heads/<protected>    —       people      —         an App never; the platform merges by the REST API
//! refs/heads/<other>       yes       yes       yes
//! refs/heads/HEAD           —         —         —         a push of HEAD:HEAD makes it by mistake
//! refs/tags/…              yes       yes       yes
//! refs/pull/…               —         —         —         the forge writes them
//! refs/internal/…           —         —         —
//! anything else             —         —         —
//! ```

use super::pkt_line::{self, Frame, Malformed};
use super::repository::{Oid, RefName};

/// Who pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pusher {
    Person,
    App,
}

/// The rules of one repository for one pusher.
#[derive(Debug, Clone)]
pub(crate) struct RefRules {
    pub protected: Vec<String>,
    pub pusher: Pusher,
}

/// Why a ref may not be written. The text is what git prints in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("protected branch")]
    Protected,
    #[error("deny updating a hidden ref")]
    Hidden,
    #[error("HEAD is not a branch name")]
    NamedHead,
    #[error("only branches and tags can be written")]
    OtherNamespace,
    #[error("funny refname")]
    Malformed,
}

/// One line of a push: a ref, where the client saw it, and where it shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefCommand {
    pub old: Oid,
    pub new: Oid,
    pub name: String,
}

/// All that a push asks for, and the capabilities that the client named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Push {
    pub commands: Vec<RefCommand>,
    pub capabilities: Vec<String>,
}

impl RefRules {
    /// Decides about one ref, which was at `old` and shall be at `new`.
    pub(crate) fn check(&self, name: &str, old: &Oid, new: &Oid) -> Result<(), Refusal> {
        let parsed = RefName::parse(name).ok_or(Refusal::Malformed)?;
        if name.starts_with("refs/pull/") || name.starts_with("refs/internal/") {
            return Err(Refusal::Hidden);
        }
        let Some(branch) = parsed.branch_name() else {
            return if name.starts_with("refs/tags/") { Ok(()) } else { Err(Refusal::OtherNamespace) };
        };
        if branch == "HEAD" {
            return Err(Refusal::NamedHead);
        }
        let protected = self.protected.iter().any(|protected| protected == branch);
        let update = *old != Oid::zero() && *new != Oid::zero();
        if protected && !(update && self.pusher == Pusher::Person) {
            return Err(Refusal::Protected);
        }
        Ok(())
    }

    /// The refusal of each ref, if any ref is refused: then the whole push is.
    pub(crate) fn refusals<'c>(&self, push: &'c Push) -> Option<Vec<(&'c str, String)>> {
        let verdicts: Vec<_> =
            push.commands.iter().map(|c| (c.name.as_str(), self.check(&c.name, &c.old, &c.new))).collect();
        if verdicts.iter().all(|(_, verdict)| verdict.is_ok()) {
            return None;
        }
        let reason = |verdict: Result<(), Refusal>| match verdict {
            Ok(()) => "another ref of this push was refused".to_owned(),
            Err(refusal) => refusal.to_string(),
        };
        Some(verdicts.into_iter().map(|(name, verdict)| (name, reason(verdict))).collect())
    }
}

impl Push {
    /// Reads the command list at the beginning of a push; gives it with its length, or `None` when more is needed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let mut push = Self::default();
        let mut at = 0;
        loop {
            let Some((frame, length)) = pkt_line::next(&bytes[at..])? else { return Ok(None) };
            at += length;
            match frame {
                Frame::Flush => return Ok(Some((push, at))),
                Frame::Line(line) => push.add(line)?,
            }
        }
    }

    fn add(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let mut parts = line.splitn(2, |byte| *byte == 0);
        let command = std::str::from_utf8(parts.next().unwrap_or_default()).map_err(|_| Malformed)?;
        if let Some(capabilities) = parts.next() {
            let text = String::from_utf8_lossy(capabilities).into_owned();
            self.capabilities = text.split_ascii_whitespace().map(str::to_owned).collect();
        }
        let command = command.trim_end_matches('\n');
        if command.starts_with("shallow ") {
            return Ok(());
        }
        let mut words = command.splitn(3, ' ');
        let mut oid = || words.next().and_then(Oid::parse).ok_or(Malformed);
        let (old, new) = (oid()?, oid()?);
        let name = words.next().ok_or(Malformed)?.to_owned();
        self.commands.push(RefCommand { old, new, name });
        Ok(())
    }

    pub(crate) fn has(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|named| named == capability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pusher: Pusher) -> RefRules {
        RefRules { protected: vec!["main".into()], pusher }
    }

    fn command(name: &str, from: char, to: char) -> RefCommand {
        let oid = |c: char| Oid::parse(&c.to_string().repeat(40)).unwrap();
        RefCommand { old: oid(from), new: oid(to), name: name.into() }
    }

    #[test]
    fn the_table_above_holds_for_every_pair() {
        use Pusher::{App, Person};
        use Refusal::{Hidden, Malformed, NamedHead, OtherNamespace, Protected};
        let (create, update, delete) = (('0', 'a'), ('a', 'b'), ('a', '0'));
        let moves = [create, update, delete];
        for (name, app, person) in [
            ("refs/heads/main", [Some(Protected); 3], [Some(Protected), None, Some(Protected)]),
            ("refs/heads/agent/1", [None; 3], [None; 3]),
            ("refs/heads/main2", [None; 3], [None; 3]),
            ("refs/heads/HEAD", [Some(NamedHead); 3], [Some(NamedHead); 3]),
            ("refs/tags/v1", [None; 3], [None; 3]),
            ("refs/pull/1/head", [Some(Hidden); 3], [Some(Hidden); 3]),
            ("refs/internal/x", [Some(Hidden); 3], [Some(Hidden); 3]),
            ("refs/notes/x", [Some(OtherNamespace); 3], [Some(OtherNamespace); 3]),
            ("HEAD", [Some(Malformed); 3], [Some(Malformed); 3]),
            ("refs/heads/../x", [Some(Malformed); 3], [Some(Malformed); 3]),
        ] {
            for (pusher, expected) in [(App, app), (Person, person)] {
                for (way, expected) in moves.iter().zip(expected) {
                    let RefCommand { old, new, name } = command(name, way.0, way.1);
                    let verdict = rules(pusher).check(&name, &old, &new).err();
                    assert_eq!(verdict, expected, "{pusher:?} {name} {way:?}");
                }
            }
        }
    }

    #[test]
    fn one_refused_ref_refuses_the_whole_push() {
        let push = |names: &[&str]| Push {
            commands: names.iter().map(|name| command(name, '0', 'a')).collect(),
            ..Push::default()
        };
        assert_eq!(rules(Pusher::App).refusals(&push(&["refs/heads/a", "refs/heads/b"])), None);
        let mixed = push(&["refs/heads/a", "refs/heads/main"]);
        let refused = rules(Pusher::App).refusals(&mixed).unwrap();
        assert_eq!(refused[0], ("refs/heads/a", "another ref of this push was refused".to_owned()));
        assert_eq!(refused[1], ("refs/heads/main", "protected branch".to_owned()));
    }

    #[test]
    fn a_command_list_is_read_up_to_its_flush() {
        let mut bytes = Vec::new();
        let (old, new) = ("0".repeat(40), "a".repeat(40));
        pkt_line::push(
            &mut bytes,
            format!("{old} {new} refs/heads/x\0 report-status side-band-64k").as_bytes(),
        );
        pkt_line::push_flush(&mut bytes);
        bytes.extend_from_slice(b"PACK");
        let (push, length) = Push::parse(&bytes).unwrap().unwrap();
        assert_eq!(push.commands, [command("refs/heads/x", '0', 'a')]);
        assert!(push.has("report-status") && push.has("side-band-64k") && !push.has("atomic"));
        assert_eq!(&bytes[length..], b"PACK");
        assert_eq!(Push::parse(&bytes[..20]), Ok(None));
        assert_eq!(Push::parse(b"000dpush-cert"), Err(Malformed));
        assert_eq!(Push::parse(b"0000"), Ok(Some((Push::default(), 4))));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_fail_in_another_way(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        ) {
            if let Ok(Some((_, length))) = Push::parse(&bytes) {
                proptest::prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn a_list_that_arrives_in_pieces_is_read_as_one_that_arrives_whole(
            names in proptest::collection::vec("refs/heads/[a-z]{1,8}", 0..5),
            cut in 0usize..400,
        ) {
            let mut bytes = Vec::new();
            for name in &names {
                pkt_line::push(&mut bytes, format!("{} {} {name}", Oid::zero(), "a".repeat(40)).as_bytes());
            }
            pkt_line::push_flush(&mut bytes);
            let (push, length) = Push::parse(&bytes).unwrap().unwrap();
            proptest::prop_assert_eq!(length, bytes.len());
            let read: Vec<String> = push.commands.into_iter().map(|command| command.name).collect();
            proptest::prop_assert_eq!(read, names);
            if cut < bytes.len() {
                proptest::prop_assert_eq!(Push::parse(&bytes[..cut]), Ok(None));
            }
        }
    }
}
