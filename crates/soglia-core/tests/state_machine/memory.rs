//! The state machine over layers in memory.

use super::*;

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn what_nests_is_timed_right(steps in nested()) {
        let mut task = Task::new(VecLayers::default());
        let mut heard = Heard::default();
        for (at, step) in timed(&steps, 5) {
            step.tell(&mut task, at, &mut heard);
        }
        check(&steps, &task, task.layers().as_slice(), &heard);
        prop_assert_eq!(task.depth(), 0);
        prop_assert_eq!(heard.totals.faults, [0; 5]);
        let mut expected = HashMap::new();
        let (outermost, rest) = by_recursion(&mut timed(&steps, 5).into_iter(), &mut expected);
        prop_assert!(rest.is_none());
        prop_assert_eq!(heard.own, outermost, "every tick in a layer is one layer's own");
        let mut expected: Vec<_> = expected.into_iter().collect();
        expected.sort_by_key(|(n, _)| *n);
        prop_assert_eq!(of_targets(&heard.totals), expected);
    }

    #[test]
    fn what_does_not_nest_is_survived(steps in vec(any_step(ticks()), 0..300)) {
        let mut task = Task::new(VecLayers::default());
        let mut heard = Heard::default();
        for (n, (at, step)) in timed(&steps, 5).into_iter().enumerate() {
            let before = task.depth();
            step.tell(&mut task, at, &mut heard);
            check(&steps[..=n], &task, task.layers().as_slice(), &heard);
            prop_assert!(task.depth() <= before + 1);
            prop_assert_eq!(task.depth(), task.layers().depth(), "nothing is too deep here");
            if step.opens() {
                let top = task.layers().below_top(0).unwrap();
                prop_assert_eq!((top.since, top.mark, top.slot), (at, step.mark, step.target()));
            }
        }
    }

    #[test]
    fn what_is_too_deep_is_survived(steps in vec(any_step(ticks()), 0..200)) {
        let mut task = Task::new(Shallow::default());
        let mut heard = Heard::default();
        for (n, (at, step)) in timed(&steps, 5).into_iter().enumerate() {
            step.tell(&mut task, at, &mut heard);
            check(&steps[..=n], &task, task.layers().0.as_slice(), &heard);
            let kept = task.layers().depth();
            prop_assert!(task.depth() == kept || kept == SHALLOW);
        }
    }

    /// Clocks that jump, to the ends of the number line and back.
    #[test]
    fn senseless_times_are_survived(
        steps in vec((any_step(Just(0)), prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)]), 0..200),
    ) {
        let mut task = Task::new(VecLayers::default());
        let mut totals = Totals::default();
        for (step, at) in steps {
            step.tell(&mut task, at, &mut totals);
        }
    }

    /// Without marks, a return closes the innermost call that it fits, and abandons what is above
    /// that.
    #[test]
    fn returns_find_their_calls(steps in vec(any_step(ticks()), 0..300)) {
        let mut task = Task::new(VecLayers::default());
        let mut totals = Totals::default();
        let mut open: Vec<u32> = Vec::new();
        let (mut abandoned, mut unmatched) = (0, 0);
        for (at, step) in timed(&steps, 5) {
            Step { mark: 0, ..step }.tell(&mut task, at, &mut totals);
            if step.how == How::Refused {
                // It leaves no trace in the layers.
            } else if step.opens() {
                open.push(step.target());
            } else if let Some(n) = open.iter().rposition(|t| *t == step.target()) {
                abandoned += open.len() - n - 1;
                open.truncate(n);
            } else {
                unmatched += 1;
            }
            let layers = task.layers().as_slice().iter();
            prop_assert_eq!(&layers.map(|l| l.slot).collect::<Vec<_>>(), &open);
        }
        prop_assert_eq!(totals.faults, [unmatched, abandoned as u64, 0, 0, 0]);
    }

    /// A stack with frames and addresses, cut by `longjmp` at any frame. Whatever is really open is
    /// never taken for gone, and what is gone is known to be at the latest when the call around it
    /// returns. The program comes to one depth by the same frames always: else marks of the two
    /// kinds would have to be compared, and those do not tell enough.
    #[test]
    fn longjmp_is_found_out(
        choices in vec((0_u8..10, any::<prop::sample::Index>()), 0..300),
        frames in vec(1_u64..40, 301),
        (leaving, entering) in (0_u64..2000, 0_u64..2000),
    ) {
        let mut task = Task::new(VecLayers::default());
        let mut heard = Heard::default();
        // The marks and serial numbers (as times) of what is really open; sides alternate.
        let mut stack: Vec<(u64, u64)> = Vec::new();
        let (mut at, mut jumped) = (0, 0);
        for (choice, cut) in choices {
            at += 1;
            let depth = stack.len();
            let side = Side::from_number(depth as u32);
            match choice {
                0..5 => {
                    let above = stack.last().map_or(0x7fff_0000_0000, |(sp, _)| *sp);
                    let sp = above - frames[depth] * 16;
                    // The runtime's own frames between the call and us.
                    let path = if side == Side::Unmanaged { leaving } else { entering };
                    stack.push((sp, at));
                    task.cross(opening(side), Who::target(depth as u32 + 1), at, sp - path, &mut heard);
                }
                5..9 if depth > 0 => {
                    stack.pop();
                    let side = Side::from_number(depth as u32 - 1);
                    task.cross(closing(side), Who::target(depth as u32), at, 0, &mut heard);
                }
                9 if depth > 0 => {
                    let left = cut.index(depth + 1);
                    jumped += depth - left;
                    stack.truncate(left);
                }
                _ => {}
            }
            let mut kept = task.layers().as_slice().iter();
            for (_, since) in &stack {
                prop_assert!(kept.any(|l| l.since == *since), "what was opened at {} is gone", since);
            }
        }
        while let Some((_, since)) = stack.pop() {
            at += 1;
            let depth = stack.len() as u32;
            let before = heard.totals.get(depth + 1).unwrap().total;
            task.cross(closing(Side::from_number(depth)), Who::target(depth + 1), at, 0, &mut heard);
            prop_assert_eq!(heard.totals.get(depth + 1).unwrap().total - before, at - since);
        }
        prop_assert_eq!(heard.totals.faults[0], 0);
        let left = u64::from(task.depth());
        prop_assert_eq!(heard.totals.faults[1] + left, jumped as u64);
    }
}
