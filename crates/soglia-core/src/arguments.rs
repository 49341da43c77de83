//! Which calls have their arguments recorded, and which arguments are secrets.
//!
//! The engine decides both when it makes the wrapper of a function, so the value of a secret never
//! leaves the program. A parameter is a secret if its own name or the name of its function says so:
//!
//! - a word of the name is in [`WORDS`]; words end where case changes, at digits and at `_`;
//! - a word begins or ends with `key` or `keys`, as in `apikey`;
//! - the name contains one of [`PARTS`], as in `userpassword`.
//!
//! Case does not count.

use wildmatch::WildMatch;

use crate::policy::{Glob, GlobError};

/// Words of the names of secrets.
pub const WORDS: [&str; 18] = [
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "cred",
    "creds",
    "cvv",
    "dsn",
    "jwt",
    "otp",
    "pass",
    "pin",
    "pins",
    "pw",
    "salt",
    "ssn",
];

/// Parts of the names of secrets.
pub const PARTS: [&str; 11] = [
    "connectionstring",
    "conninfo",
    "connstr",
    "credential",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "token",
];

/// What the user asks for, as far as it differs from the default: the arguments of slow, failed
/// and denied calls that the program and its libraries make, except secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// No arguments are recorded.
    pub none: bool,
    /// Only those of these functions, if there are any here; also of the framework's calls.
    pub targets: Vec<Glob>,
    /// Those of these functions are recorded of all calls, for as long as the call is open.
    pub all: Vec<Glob>,
    /// Parameters that are secrets too.
    pub redacted: Vec<Redaction>,
}

/// Parameters that the user names as secrets: `GLOB!PARAMETER`.
#[derive(Clone, Debug)]
pub struct Redaction {
    functions: Glob,
    parameter: WildMatch,
    text: String,
}

impl PartialEq for Redaction {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Redaction {}

/// Why a text does not name parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactionError {
    /// It has no function or no parameter.
    #[error("expected GLOB!PARAMETER, such as 'libpq!PQexec!query' or 'PQexec!query'")]
    Incomplete,
    /// The function is not a glob.
    #[error(transparent)]
    Glob(#[from] GlobError),
}

impl std::str::FromStr for Redaction {
    type Err = RedactionError;

    fn from_str(text: &str) -> Result<Self, RedactionError> {
        let (functions, parameter) = text.rsplit_once('!').ok_or(RedactionError::Incomplete)?;
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if parameter.is_empty() || parameter.contains(odd) {
            return Err(RedactionError::Incomplete);
        }
        Ok(Self {
            functions: functions.parse()?,
            parameter: WildMatch::new(parameter),
            text: text.to_owned(),
        })
    }
}

/// A function, as the choice knows it.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// The library as the `DllImport` has it. For a callback: its assembly.
    pub library: &'a str,
    /// The entry point. For a callback: the name of its method.
    pub entry: &'a str,
    /// The name of the method that declares it.
    pub method: &'a str,
    /// The framework makes the call, and not the program or a library of it.
    pub of_framework: bool,
}

impl Choice {
    /// Whether the arguments of calls of this function are recorded.
    pub fn wants(&self, function: Function<'_>) -> bool {
        let Function { library, entry, .. } = function;
        if self.none {
            return false;
        }
        if self.targets.is_empty() && self.all.is_empty() {
            return !function.of_framework;
        }
        let mut globs = self.targets.iter().chain(&self.all);
        globs.any(|glob| glob.matches(library, entry))
    }

    /// Whether the arguments of open calls of this function are recorded.
    pub fn wants_open(&self, function: Function<'_>) -> bool {
        let Function { library, entry, .. } = function;
        !self.none && self.all.iter().any(|glob| glob.matches(library, entry))
    }

    /// Whether this parameter of a function is a secret. `returned value` has no name.
    pub fn hides(&self, function: Function<'_>, parameter: &str) -> bool {
        let Function { library, entry, .. } = function;
        let redacted = |redaction: &Redaction| {
            redaction.functions.matches(library, entry) && redaction.parameter.matches(parameter)
        };
        [parameter, entry, function.method]
            .into_iter()
            .any(is_secret)
            || self.redacted.iter().any(redacted)
    }

    /// As text, which the tool hands to the engine.
    pub fn encode(&self) -> String {
        let mut lines = vec![FIRST_LINE.to_owned()];
        lines.extend(self.none.then(|| "none".to_owned()));
        lines.extend(self.targets.iter().map(|glob| format!("of\t{glob}")));
        lines.extend(self.all.iter().map(|glob| format!("all\t{glob}")));
        lines.extend(self.redacted.iter().map(|all| format!("not\t{}", all.text)));
        lines.join("\n")
    }

    /// Reads what [`Choice::encode`] has written. Accepts any text.
    ///
    /// # Errors
    /// If the text is anything else.
    pub fn decode(text: &str) -> Result<Self, DecodeError> {
        let mut lines = (1..).zip(text.split('\n'));
        if lines.next().map(|(_, line)| line) != Some(FIRST_LINE) {
            return Err(DecodeError::Version);
        }
        let mut choice = Self::default();
        for (number, line) in lines {
            let wrong = || DecodeError::Line(number);
            match line.split_once('\t') {
                None if line == "none" => choice.none = true,
                Some(("of", glob)) => choice.targets.push(glob.parse().map_err(|_| wrong())?),
                Some(("all", glob)) => choice.all.push(glob.parse().map_err(|_| wrong())?),
                Some(("not", text)) => choice.redacted.push(text.parse().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            }
        }
        Ok(choice)
    }
}

const FIRST_LINE: &str = "soglia-arguments 1";

/// Why a text holds no choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin like one.
    #[error("it is not of this version of soglia")]
    Version,
    /// A line means nothing.
    #[error("line {0} means nothing")]
    Line(usize),
}

/// Whether a name is that of a secret.
pub fn is_secret(name: &str) -> bool {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    let letters: String = letters.flat_map(char::to_lowercase).collect();
    PARTS.iter().any(|part| letters.contains(part))
        || words(name).iter().any(|word| {
            WORDS.contains(&&**word)
                || word.starts_with("key")
                || word.trim_end_matches('s').ends_with("key")
        })
}

/// The words of a name in lower case: `SSL_setPrivateKey2` has `ssl`, `set`, `private` and `key`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let chars: Vec<char> = name.chars().collect();
    for (n, c) in chars.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| chars[n]);
        let next = chars.get(n + 1);
        let starts = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || before.is_some_and(char::is_uppercase)
                    && next.is_some_and(|next| next.is_lowercase()));
        if starts || !c.is_alphabetic() {
            words.push(String::new());
        }
        if c.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: Function<'_> = Function {
        library: "libpq.so.5",
        entry: "PQconnectdb",
        method: "Connect",
        of_framework: false,
    };

    #[test]
    fn words_end_where_people_see_it() {
        assert_eq!(
            words("SSL_setPrivateKey2x"),
            ["ssl", "set", "private", "key", "x"]
        );
        assert_eq!(words("parseURLNow"), ["parse", "url", "now"]);
        assert_eq!(words("__pin_native"), ["pin", "native"]);
        assert_eq!(words("_1"), [""; 0]);
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "password",
            "userPassword",
            "DB_PASSWD",
            "pwd",
            "pPwd",
            "secret",
            "clientSecret",
            "token",
            "accessToken",
            "csrf_tokens",
            "key",
            "apiKey",
            "APIKEY",
            "keyData",
            "hkey",
            "privatekeys",
            "credentials",
            "cred",
            "auth",
            "authHeader",
            "pin",
            "userPIN",
            "passphrase",
            "pass",
            "connectionString",
            "conninfo",
            "__password_native",
        ] {
            assert!(is_secret(name), "{name} names a secret");
        }
        for name in [
            "",
            "path",
            "value",
            "pinned",
            "author",
            "passed",
            "compass",
            "bypass",
            "spin",
            "opinion",
            "count",
            "connection",
        ] {
            assert!(!is_secret(name), "{name} names no secret");
        }
    }

    #[test]
    fn a_function_or_the_user_can_make_a_parameter_secret() {
        let choice = Choice::default();
        assert!(!choice.hides(CONNECT, "options"), "a plain name");
        let entry = "set_password";
        assert!(
            choice.hides(Function { entry, ..CONNECT }, "a"),
            "the entry point says so"
        );
        let method = "SetToken";
        assert!(
            choice.hides(Function { method, ..CONNECT }, "a"),
            "the method says so"
        );
        let choice = Choice {
            redacted: vec!["libpq!PQ*!opt*".parse().unwrap()],
            ..Choice::default()
        };
        assert!(choice.hides(CONNECT, "options"), "the user says so");
        assert!(
            !choice.hides(CONNECT, "other"),
            "the user names another one"
        );
        let entry = "sqlite3_exec";
        assert!(
            !choice.hides(Function { entry, ..CONNECT }, "options"),
            "of another function"
        );
    }

    #[test]
    fn the_program_is_the_default_and_globs_replace_it() {
        let framework = Function {
            of_framework: true,
            ..CONNECT
        };
        let default = Choice::default();
        assert_eq!(
            (default.wants(CONNECT), default.wants(framework)),
            (true, false)
        );
        let of = Choice {
            targets: vec!["PQconnect*".parse().unwrap()],
            ..Choice::default()
        };
        assert_eq!((of.wants(CONNECT), of.wants(framework)), (true, true));
        let entry = "other";
        assert!(!of.wants(Function { entry, ..CONNECT }), "no glob names it");
        assert!(!of.wants_open(CONNECT), "only when a call is over");
        let all = Choice {
            all: vec!["PQconnect*".parse().unwrap()],
            ..Choice::default()
        };
        assert_eq!((all.wants(CONNECT), all.wants_open(CONNECT)), (true, true));
        let entry = "other";
        let other = Function { entry, ..CONNECT };
        assert_eq!((all.wants(other), all.wants_open(other)), (false, false));
        let none = Choice { none: true, ..all };
        assert!(!none.wants(CONNECT), "none at all");
        assert!(!none.wants_open(CONNECT), "none at all");
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let choice = Choice {
            none: true,
            targets: vec!["libc!read".parse().unwrap(), "*".parse().unwrap()],
            all: vec!["libpq!*".parse().unwrap()],
            redacted: vec!["libc!write!buf".parse().unwrap()],
        };
        assert_eq!(Choice::decode(&choice.encode()), Ok(choice));
        let default = Choice::default();
        assert_eq!(Choice::decode(&default.encode()), Ok(default));
        assert_eq!(Choice::decode(""), Err(DecodeError::Version));
        for line in [
            "",
            "x",
            "of\t",
            "all\t",
            "not\tx",
            "not\tx!",
            "none\t",
            "not\tf!a b",
        ] {
            let text = format!("{FIRST_LINE}\n{line}");
            assert_eq!(Choice::decode(&text), Err(DecodeError::Line(2)), "{line:?}");
        }
    }
}
