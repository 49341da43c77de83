//! Policies as files: TOML, with the line and the key of what is wrong in it.

use std::{fmt, ops::Range};

use soglia_core::{
    deadline::Deadline,
    policy::{Destination, Exception, Glob, Kind, Policy, Rule, Thrown},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::deadline::{self, repeated};

/// The keys of a file that are not rules.
const DEADLINE: &str = "deadline";
const AUDIT: &str = "audit";
const FATAL: &str = "deny-fatal";
const DYNAMIC: &str = "allow-dynamic";

/// What is wrong with a file, and where: `LINE: KEY: MESSAGE`.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// The line, from 1.
    pub line: usize,
    /// The key; empty if the error concerns none.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, key, message } = self;
        match &key[..] {
            "" => write!(f, "{line}: {message}"),
            key => write!(f, "{line}: {key}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

/// What a policy file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Which calls are denied, redirected, limited or watched.
    pub policy: Policy,
    /// How long calls may take.
    pub deadlines: Vec<Deadline>,
}

/// Reads the text of a file.
///
/// # Errors
/// The first fault in the file.
pub fn parse(text: &str) -> Result<Contents, Error> {
    let file = File { text };
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        // What is wrong with the syntax may take several lines to say.
        let said: Vec<&str> = error.message().lines().map(str::trim).collect();
        // Of a key that is there twice, nothing else tells the name.
        let duplicate = error.message() == "duplicate key";
        let key = text.get(span.clone()).filter(|_| duplicate).unwrap_or("");
        file.error(&span, key, said.join(", "))
    })?;
    let (mut policy, mut deadlines) = (Policy::default(), Vec::new());
    let mut seen = Vec::new();
    for (key, value) in in_order(document.get_ref()) {
        let name = &**key.get_ref();
        match (name, Kind::ALL.into_iter().find(|k| k.name() == name)) {
            (AUDIT, _) => policy.audit = file.boolean(AUDIT, value)?,
            (FATAL, _) => policy.fatal = file.boolean(FATAL, value)?,
            (DYNAMIC, _) => policy.allow_dynamic = file.boolean(DYNAMIC, value)?,
            (DEADLINE, _) => {
                for section in file.sections(DEADLINE, value)? {
                    let (found, span) = file.deadline(section)?;
                    deadlines.push(found);
                    if let Some(second) = repeated(&deadlines) {
                        let message = format!(
                            "'{}' has a deadline with the action {} already: remove one of the two",
                            second.target,
                            second.action.name()
                        );
                        return Err(file.error(&span, DEADLINE, message));
                    }
                }
            }
            (_, Some(kind)) => {
                for (rule, span) in file.rules(kind, value)? {
                    file.no_second(&mut seen, &rule, span)?;
                    policy.rules.push(rule);
                }
            }
            (_, None) => {
                let kinds = Kind::ALL.map(Kind::name);
                let known = [&kinds[..], &[DEADLINE, AUDIT, FATAL, DYNAMIC]].concat();
                return Err(file.unknown(&key.span(), name, &known));
            }
        }
    }
    Ok(Contents { policy, deadlines })
}

/// The text of a file, for lines.
struct File<'a> {
    text: &'a str,
}

/// A section, and its place.
type Section<'a, 'i> = (&'a DeTable<'i>, Range<usize>);

type Entry<'a, 'i> = (
    &'a Spanned<std::borrow::Cow<'i, str>>,
    &'a Spanned<DeValue<'i>>,
);

/// The keys of a table as they are written, so that the first error is the first in the file.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

impl File<'_> {
    fn error(&self, span: &Range<usize>, key: &str, message: impl Into<String>) -> Error {
        Error {
            line: self.line(span),
            key: key.into(),
            message: message.into(),
        }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    fn unknown(&self, span: &Range<usize>, key: &str, known: &[&str]) -> Error {
        let message = format!("there is no such key here; there are {}", known.join(", "));
        self.error(span, key, message)
    }

    fn wrong(&self, value: &Spanned<DeValue>, key: &str, expected: &str) -> Error {
        let found = match value.get_ref() {
            DeValue::Table(_) => "a section or an inline table",
            DeValue::Array(_) => "a list",
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
        };
        self.error(
            &value.span(),
            key,
            format!("expected {expected}, found {found}"),
        )
    }

    fn boolean(&self, key: &str, value: &Spanned<DeValue>) -> Result<bool, Error> {
        let found = value.get_ref().as_bool();
        found.ok_or_else(|| self.wrong(value, key, "true or false"))
    }

    /// The rules of one key, each with its place.
    fn rules(
        &self,
        kind: Kind,
        value: &Spanned<DeValue>,
    ) -> Result<Vec<(Rule, Range<usize>)>, Error> {
        let name = kind.name();
        match kind {
            Kind::AllowOnly | Kind::Only | Kind::Skip => {
                let expected = "a list of globs, such as [\"libc!*\"]";
                let list = value.get_ref().as_array();
                let list = list.ok_or_else(|| self.wrong(value, name, expected))?;
                if list.is_empty() && kind != Kind::Skip {
                    let message = "the list is empty, which would be no rule: leave the key out, or, to deny everything, deny \"*\"";
                    return Err(self.error(&value.span(), name, message));
                }
                let rule = |item: &Spanned<DeValue>| {
                    let target = self.glob(item, name)?;
                    let rule = match kind {
                        Kind::AllowOnly => Rule::AllowOnly(target),
                        Kind::Only => Rule::Only(target),
                        _ => Rule::Skip(target),
                    };
                    Ok((rule, item.span()))
                };
                list.iter().map(rule).collect()
            }
            Kind::Deny | Kind::Redirect | Kind::MaxCalls => {
                let rule = |(table, span)| self.section(kind, table, span);
                self.sections(name, value)?.into_iter().map(rule).collect()
            }
        }
    }

    /// The sections of one key, each with its place.
    fn sections<'a, 'i>(
        &self,
        name: &str,
        value: &'a Spanned<DeValue<'i>>,
    ) -> Result<Vec<Section<'a, 'i>>, Error> {
        let expected = format!("sections [[{name}]], one for each rule");
        let sections = value.get_ref().as_array();
        let sections = sections.ok_or_else(|| self.wrong(value, name, &expected))?;
        let section = |section: &'a Spanned<DeValue<'i>>| {
            let table = section.get_ref().as_table();
            let table = table.ok_or_else(|| self.wrong(section, name, &expected))?;
            Ok((table, section.span()))
        };
        sections.iter().map(section).collect()
    }

    /// Refuses keys of a section that mean nothing.
    fn no_others(&self, name: &str, table: &DeTable, known: &[&str]) -> Result<(), Error> {
        for (key, _) in in_order(table) {
            if !known.contains(&&**key.get_ref()) {
                let path = format!("{name}.{}", key.get_ref());
                return Err(self.unknown(&key.span(), &path, known));
            }
        }
        Ok(())
    }

    /// What a section must have.
    fn needed<'a, 'i>(
        &self,
        name: &str,
        (table, span): &Section<'a, 'i>,
        key: &str,
        example: &str,
    ) -> Result<&'a Spanned<DeValue<'i>>, Error> {
        table.get(key).ok_or_else(|| {
            let message = format!("is missing: add {key} = {example}");
            self.error(span, &format!("{name}.{key}"), message)
        })
    }

    /// A deadline, and the place of its target.
    fn deadline(&self, section: Section<'_, '_>) -> Result<(Deadline, Range<usize>), Error> {
        let table = section.0;
        self.no_others(DEADLINE, table, &["target", "after", "action"])?;
        let given = self.needed(DEADLINE, &section, "target", "\"LIBRARY!ENTRY\"")?;
        let target = self.glob(given, "deadline.target")?;
        let text_of = |value, key, check: &dyn Fn(&str) -> Result<(), String>| {
            let text = self.text_of(value, key)?;
            let wrong = |message| self.error(&value.span(), key, message);
            check(text).map_err(wrong)?;
            Ok(text)
        };
        let after = self.needed(DEADLINE, &section, "after", "\"5s\"")?;
        let after = text_of(after, "deadline.after", &|text| {
            deadline::after(text).map(drop)
        })?;
        let action = table.get("action").map(|value| {
            text_of(value, "deadline.action", &|text| {
                deadline::action(text).map(drop)
            })
        });
        let made = deadline::made(target, after, action.transpose()?);
        let made = made.map_err(|message| self.error(&section.1, DEADLINE, message))?;
        Ok((made, given.span()))
    }

    /// A rule that is a section, and the place of its target.
    fn section(
        &self,
        kind: Kind,
        table: &DeTable,
        span: Range<usize>,
    ) -> Result<(Rule, Range<usize>), Error> {
        const THROWN: [&str; 2] = ["exception", "message"];
        let name = kind.name();
        let known = match kind {
            Kind::Redirect => vec!["target", "to"],
            Kind::MaxCalls => [&["target", "calls"][..], &THROWN].concat(),
            _ => [&["target"][..], &THROWN].concat(),
        };
        self.no_others(name, table, &known)?;
        let section = (table, span);
        let needed = |key, example| self.needed(name, &section, key, example);
        let given = needed("target", "\"LIBRARY!ENTRY\"")?;
        let target = self.glob(given, &format!("{name}.target"))?;
        let rule = match kind {
            Kind::Redirect => {
                let to = needed("to", "\"LIBRARY\" or \"LIBRARY!ENTRY\"")?;
                let key = format!("{name}.to");
                let to = Destination::parse(self.text_of(to, &key)?, &target)
                    .map_err(|error| self.error(&to.span(), &key, error.to_string()))?;
                Rule::Redirect { target, to }
            }
            Kind::MaxCalls => Rule::MaxCalls {
                target,
                calls: self.calls(needed("calls", "1000")?)?,
                thrown: self.thrown(name, table)?,
            },
            _ => Rule::Deny {
                target,
                thrown: self.thrown(name, table)?,
            },
        };
        Ok((rule, given.span()))
    }

    fn text_of<'a>(&self, value: &'a Spanned<DeValue>, key: &str) -> Result<&'a str, Error> {
        let found = value.get_ref().as_str();
        found.ok_or_else(|| self.wrong(value, key, "a text in quotes"))
    }

    fn glob(&self, value: &Spanned<DeValue>, key: &str) -> Result<Glob, Error> {
        let text = self.text_of(value, key)?;
        text.parse().map_err(|error| {
            let message = format!("'{text}' is no glob: {error}");
            self.error(&value.span(), key, message)
        })
    }

    fn calls(&self, value: &Spanned<DeValue>) -> Result<u64, Error> {
        const KEY: &str = "max-calls.calls";
        let expected = "a number from 0 on";
        let number = value.get_ref().as_integer();
        let number = number.ok_or_else(|| self.wrong(value, KEY, expected))?;
        u64::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
            let message = format!("expected {expected}, found {number}");
            self.error(&value.span(), KEY, message)
        })
    }

    fn thrown(&self, name: &str, table: &DeTable) -> Result<Thrown, Error> {
        let (mut exception, mut message) = (None, None);
        if let Some(value) = table.get("exception") {
            let key = format!("{name}.exception");
            let given = self.text_of(value, &key)?;
            exception = Some(Exception::named(given).ok_or_else(|| {
                let names = Exception::ALL.map(Exception::name).join(", ");
                let message = format!("'{given}' is not one of {names}");
                self.error(&value.span(), &key, message)
            })?);
        }
        if let Some(value) = table.get("message") {
            let key = format!("{name}.message");
            let given = self.text_of(value, &key)?;
            let control = |c: char| c.is_control() && c != '\n' && c != '\t';
            if given.trim().is_empty() || given.contains(control) {
                let message =
                    "expected a text that can be read: it is empty, or holds control characters";
                return Err(self.error(&value.span(), &key, message));
            }
            message = Some(given.to_owned());
        }
        Ok(Thrown { exception, message })
    }

    /// Of two rules of one kind for one target, the second would never count.
    fn no_second(
        &self,
        seen: &mut Vec<(Kind, Glob, usize)>,
        rule: &Rule,
        span: Range<usize>,
    ) -> Result<(), Error> {
        let same = |(kind, target, _): &&(Kind, Glob, usize)| {
            *kind == rule.kind() && target == rule.target()
        };
        if let Some((kind, target, line)) = seen.iter().find(same) {
            let message = format!("'{target}' is in line {line} already: remove one of the two");
            return Err(self.error(&span, kind.name(), message));
        }
        seen.push((rule.kind(), rule.target().clone(), self.line(&span)));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
