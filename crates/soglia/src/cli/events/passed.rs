//! The arguments of the calls that lines are about.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{HashMap, VecDeque},
};

use serde::Serialize;
use soglia::{
    model::{ArgumentRow, argument_rows},
    text,
};
use soglia_core::trace::{
    arguments::{Arguments, Of},
    replay::{How, Replayed},
};

use super::super::options::EventFormat;

/// Arguments in their order, by task and target.
type InOrder = RefCell<HashMap<(u32, u32), VecDeque<Arguments>>>;

/// The recorded arguments, by the calls that they are those of.
#[derive(Default)]
pub struct Passed {
    /// By task, target and ticks of the return.
    slow: HashMap<(u32, u32, u64), Arguments>,
    /// The first of them belong to the first of these calls.
    denied: InOrder,
    /// Each belongs to the first such call that ends after it was recorded.
    failed: InOrder,
}

/// The end of a line of JSON.
#[derive(Serialize)]
struct Fields<'a> {
    args: Vec<ArgumentRow>,
    result: Option<&'a str>,
    error: Option<&'a str>,
}

/// The same without arguments.
const NONE: &str = r#","args":null,"result":null,"error":null}"#;

impl Passed {
    /// Those of a recording.
    pub fn of(all: Vec<Arguments>) -> Self {
        let mut passed = Self::default();
        for one in all {
            let of = (one.task, one.target);
            let in_order = match one.of {
                Of::Slow => {
                    passed.slow.insert((of.0, of.1, one.at), one);
                    continue;
                }
                Of::Denied => &mut passed.denied,
                Of::Failed => &mut passed.failed,
                // Once the call is over, it is among the others.
                Of::Open => continue,
            };
            in_order.get_mut().entry(of).or_default().push_back(one);
        }
        passed
    }

    /// The end of the line of this crossing. Crossings of a task come in their order, each once.
    pub fn line(&self, task: u32, crossed: &Replayed, format: EventFormat) -> Cow<'static, str> {
        match (self.of_call(task, crossed), format) {
            (None, EventFormat::Text) => Cow::Borrowed(""),
            (None, EventFormat::Jsonl) => Cow::Borrowed(NONE),
            (Some(found), EventFormat::Text) => format!("  with {}", text::given_in(&found)).into(),
            (Some(found), EventFormat::Jsonl) => {
                let fields = Fields {
                    args: argument_rows(&found),
                    result: found.returned.as_deref(),
                    error: found.error.as_deref(),
                };
                // Texts make JSON.
                let object = serde_json::to_string(&fields).unwrap_or_default();
                object.replacen('{', ",", 1).into()
            }
        }
    }

    /// The arguments of the call that this crossing ends or denies, if they were recorded.
    fn of_call(&self, task: u32, crossed: &Replayed) -> Option<Arguments> {
        let of = (task, crossed.target?);
        let first = |in_order: &InOrder, until: u64| {
            let mut all = in_order.borrow_mut();
            let all = all.get_mut(&of)?;
            let is_it = all.front().is_some_and(|one| one.at <= until);
            is_it.then(|| all.pop_front())?
        };
        match crossed.how {
            How::Crossed if crossed.crossing.opens() => None,
            How::Crossed => self.slow.get(&(of.0, of.1, crossed.at)).cloned(),
            How::Failed => first(&self.failed, crossed.at),
            How::Refused => first(&self.denied, u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use soglia_core::{crossing::Crossing, trace::arguments::Request};

    use super::*;

    #[test]
    fn each_line_has_the_arguments_of_its_call() {
        let one = |of, at, value: &str| Arguments {
            target: 3,
            task: 1,
            of,
            at,
            failure: 0,
            returned: None,
            error: None,
            request: Request::default(),
            values: vec![("a".into(), value.into())],
        };
        let passed = Passed::of(vec![
            one(Of::Slow, 50, "slow"),
            one(Of::Failed, 60, "failed"),
            one(Of::Denied, 70, "denied"),
        ]);
        let line = |at, crossing, how| {
            let crossed = Replayed {
                at,
                crossing,
                how,
                target: Some(3),
                depth: 0,
                os_thread: 9,
            };
            passed.line(1, &crossed, EventFormat::Text)
        };
        let with = |value: &str| format!("  with a: {value}");
        let (leave, enter) = (Crossing::LeaveRuntime, Crossing::EnterRuntime);
        assert_eq!(line(50, leave, How::Crossed), "");
        assert_eq!(line(49, enter, How::Crossed), "");
        assert_eq!(line(50, enter, How::Crossed), with("slow"));
        assert_eq!(line(59, enter, How::Failed), "", "of an earlier kind");
        assert_eq!(line(61, enter, How::Failed), with("failed"));
        assert_eq!(line(62, enter, How::Failed), "");
        assert_eq!(line(69, leave, How::Refused), with("denied"));
        assert_eq!(line(71, leave, How::Refused), "");
        let json = |at| {
            let crossed = Replayed {
                at,
                crossing: enter,
                how: How::Crossed,
                target: Some(3),
                depth: 0,
                os_thread: 9,
            };
            passed.line(1, &crossed, EventFormat::Jsonl)
        };
        let args = r#"[{"name":"a","value":"slow"}]"#;
        assert_eq!(
            json(50),
            format!(r#","args":{args},"result":null,"error":null}}"#)
        );
        assert_eq!(json(51), r#","args":null,"result":null,"error":null}"#);
    }
}
