//! A policy as text, which the tool hands to the engine: a line with the version, then a line for
//! each rule, whose fields are separated by tabs. `\\`, `\t`, `\n`, `\r` and `\0` stand for the
//! characters that a field cannot hold. An empty field was not given.

use std::borrow::Cow;

use super::{
    glob::{Glob, GlobError},
    rule::{Destination, DestinationError, Exception, Rule, Thrown},
    verdict::Policy,
};

const FIRST_LINE: &str = "soglia-policy 1";
const AUDIT: &str = "audit";
const FATAL: &str = "deny-fatal";
const DYNAMIC: &str = "allow-dynamic";

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin like a policy.
    #[error("it is not a policy of this version of soglia")]
    Version,
    /// A line is not a rule, or a rule of an unknown kind.
    #[error("line {0} is not a rule")]
    Rule(usize),
    /// A field is missing, or there are too many.
    #[error("line {0} has the wrong number of fields")]
    Fields(usize),
    /// A field has a wrong value.
    #[error("line {0}: {1} is wrong")]
    Value(usize, &'static str),
    /// A target is not a glob.
    #[error("line {0}: {1}")]
    Target(usize, GlobError),
    /// A destination is not one.
    #[error("line {0}: {1}")]
    Destination(usize, DestinationError),
}

impl Policy {
    /// As text, for [`Policy::decode`]. It has no NUL, so it can be the value of an environment
    /// variable.
    pub fn encode(&self) -> String {
        let mut text = FIRST_LINE.to_owned();
        let mut line = |fields: &[&str]| {
            let fields: Vec<Cow<'_, str>> = fields.iter().map(|f| escape(f)).collect();
            text.push('\n');
            text.push_str(&fields.join("\t"));
        };
        if self.audit {
            line(&[AUDIT]);
        }
        if self.fatal {
            line(&[FATAL]);
        }
        if self.allow_dynamic {
            line(&[DYNAMIC]);
        }
        for rule in &self.rules {
            let (kind, target) = (rule.kind().name(), rule.target().as_str());
            match rule {
                Rule::Deny { thrown, .. } => {
                    let [exception, message] = fields_of(thrown);
                    line(&[kind, target, exception, message]);
                }
                Rule::MaxCalls { calls, thrown, .. } => {
                    let [exception, message] = fields_of(thrown);
                    line(&[kind, target, &calls.to_string(), exception, message]);
                }
                Rule::Redirect { to, .. } => line(&[kind, target, &to.to_string()]),
                Rule::AllowOnly(_) | Rule::Only(_) | Rule::Skip(_) => line(&[kind, target]),
            }
        }
        text
    }

    /// Reads what [`Policy::encode`] has written. Accepts any text.
    ///
    /// # Errors
    /// If the text is anything else.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let mut lines = text.split('\n').enumerate();
        if lines.next().map(|(_, line)| line) != Some(FIRST_LINE) {
            return Err(DecodeError::Version);
        }
        let mut policy = Self::default();
        for (number, line) in lines {
            let number = number + 1;
            let fields: Option<Vec<String>> = line.split('\t').map(unescape).collect();
            let fields = fields.ok_or(DecodeError::Value(number, "an escape"))?;
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            match fields[..] {
                [AUDIT] => policy.audit = true,
                [FATAL] => policy.fatal = true,
                [DYNAMIC] => policy.allow_dynamic = true,
                [kind, target, ref rest @ ..] => {
                    policy.rules.push(rule(number, kind, target, rest)?)
                }
                _ => return Err(DecodeError::Rule(number)),
            }
        }
        Ok(policy)
    }
}

fn rule(line: usize, kind: &str, target: &str, rest: &[&str]) -> Result<Rule, DecodeError> {
    let target: Glob = target.parse().map_err(|e| DecodeError::Target(line, e))?;
    Ok(match (kind, rest) {
        ("deny", [exception, message]) => Rule::Deny {
            target,
            thrown: thrown(line, exception, message)?,
        },
        ("max-calls", [calls, exception, message]) => Rule::MaxCalls {
            target,
            calls: calls
                .parse()
                .map_err(|_| DecodeError::Value(line, "the number of calls"))?,
            thrown: thrown(line, exception, message)?,
        },
        ("redirect", [to]) => {
            let to =
                Destination::parse(to, &target).map_err(|e| DecodeError::Destination(line, e))?;
            Rule::Redirect { target, to }
        }
        ("allow-only", []) => Rule::AllowOnly(target),
        ("only", []) => Rule::Only(target),
        ("skip", []) => Rule::Skip(target),
        ("deny" | "max-calls" | "redirect" | "allow-only" | "only" | "skip", _) => {
            return Err(DecodeError::Fields(line));
        }
        _ => return Err(DecodeError::Rule(line)),
    })
}

fn fields_of(thrown: &Thrown) -> [&str; 2] {
    [
        thrown.exception.map_or("", Exception::name),
        thrown.message.as_deref().unwrap_or_default(),
    ]
}

fn thrown(line: usize, exception: &str, message: &str) -> Result<Thrown, DecodeError> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let named = |name: String| {
        Exception::named(&name).ok_or(DecodeError::Value(line, "the name of the exception"))
    };
    Ok(Thrown {
        exception: given(exception).map(named).transpose()?,
        message: given(message),
    })
}

fn escape(field: &str) -> Cow<'_, str> {
    if !field.contains(['\\', '\t', '\n', '\r', '\0']) {
        return field.into();
    }
    let mut escaped = String::with_capacity(field.len() + 8);
    for c in field.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\0' => escaped.push_str("\\0"),
            c => escaped.push(c),
        }
    }
    escaped.into()
}

fn unescape(field: &str) -> Option<String> {
    let mut plain = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                '0' => '\0',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}
