//! The names of the tasks of a list, and which tasks wait for which.

use std::collections::HashMap;

use super::Specification;

/// The names that are taken, with their lines.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<Box<str>, u64>);

impl Names {
    /// Takes the name of the task in this line.
    ///
    /// # Errors
    /// A sentence, if an earlier task has it.
    pub(super) fn take(&mut self, task: &Specification, line: u64) -> Result<(), String> {
        let name = &task.name;
        match self.0.insert(name.as_str().into(), line) {
            None => Ok(()),
            Some(earlier) => Err(format!(
                "line {line}: the name {name} is that of the task in line {earlier} already"
            )),
        }
    }

    /// Checks that all tasks that `task`, in this line, waits for are named already.
    ///
    /// # Errors
    /// A sentence, if one is not.
    pub(super) fn check(
        &self,
        task: &Specification,
        line: u64,
        is_whole: bool,
    ) -> Result<(), String> {
        let keys = [("after", &task.after), ("after_any", &task.after_any)];
        for (key, names) in keys {
            let Some(unknown) = names
                .iter()
                .find(|name| !self.0.contains_key(name.as_str()))
            else {
                continue;
            };
            return Err(if is_whole {
                format!("line {line}: {key} names {unknown}, and no task has this name")
            } else {
                format!(
                    "line {line}: {key} names {unknown}, and no earlier task has this name (from a pipe, a task can \
                     wait only for earlier ones; in a file, also for later ones)"
                )
            });
        }
        Ok(())
    }
}

/// The names of tasks that wait for each other in a circle, the first one also last.
pub(super) fn cycle(tasks: &[Specification]) -> Option<Vec<String>> {
    let by_name: HashMap<&str, usize> = tasks
        .iter()
        .enumerate()
        .map(|(index, task)| (task.name.as_str(), index))
        .collect();
    let needs = |index: usize, nth: usize| {
        let mut names = tasks[index].after.iter().chain(&tasks[index].after_any);
        names
            .nth(nth)
            .map(|name| by_name.get(name.as_str()).copied())
    };
    let mut is_seen = vec![false; tasks.len()];
    let mut is_on_path = vec![false; tasks.len()];
    for start in 0..tasks.len() {
        // Not by recursion: a list can be one long chain. Each step has the number of the need that is looked at next.
        let mut path = vec![(start, 0)];
        if is_seen[start] {
            continue;
        }
        is_seen[start] = true;
        is_on_path[start] = true;
        while let Some((task, nth)) = path.last_mut() {
            let found = needs(*task, *nth);
            *nth += 1;
            match found {
                None => {
                    is_on_path[*task] = false;
                    path.pop();
                }
                Some(Some(needed)) if is_on_path[needed] => {
                    let circle = path.iter().skip_while(|(task, _)| *task != needed);
                    let circle = circle.map(|(task, _)| *task).chain([needed]);
                    return Some(circle.map(|task| tasks[task].name.clone()).collect());
                }
                Some(Some(needed)) if !is_seen[needed] => {
                    is_seen[needed] = true;
                    is_on_path[needed] = true;
                    path.push((needed, 0));
                }
                Some(_) => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str, after: &[&str], after_any: &[&str]) -> Specification {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Specification {
            after: names(after),
            after_any: names(after_any),
            ..Specification::of_command(name.to_owned(), Vec::new())
        }
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut names = Names::default();
        assert_eq!(names.take(&task("a", &[], &[]), 1), Ok(()));
        assert_eq!(
            names.take(&task("a", &[], &[]), 3).unwrap_err(),
            "line 3: the name a is that of the task in line 1 already"
        );
    }

    #[test]
    fn a_task_waits_only_for_tasks_that_are_there() {
        let mut names = Names::default();
        names.take(&task("a", &[], &[]), 1).unwrap();
        assert_eq!(names.check(&task("b", &["a"], &["a"]), 2, true), Ok(()));
        assert_eq!(
            names
                .check(&task("b", &["a", "c"], &[]), 2, true)
                .unwrap_err(),
            "line 2: after names c, and no task has this name"
        );
        assert_eq!(
            names
                .check(&task("b", &["a"], &["c"]), 2, false)
                .unwrap_err(),
            "line 2: after_any names c, and no earlier task has this name (from a pipe, a task can wait only for \
             earlier ones; in a file, also for later ones)"
        );
    }

    #[test]
    fn a_circle_is_found_and_named_from_its_beginning() {
        let diamond = [
            task("d", &["b", "c"], &[]),
            task("b", &["a"], &[]),
            task("c", &[], &["a"]),
            task("a", &[], &[]),
        ];
        assert_eq!(cycle(&diamond), None);
        let circle = [
            task("x", &["a"], &[]),
            task("a", &[], &["b"]),
            task("b", &["a"], &[]),
        ];
        assert_eq!(cycle(&circle).unwrap().join(", "), "a, b, a");
        assert_eq!(cycle(&[task("a", &["a"], &[])]).unwrap().join(", "), "a, a");
    }

    #[test]
    fn a_long_chain_is_no_circle_and_no_stack_of_calls() {
        let name = |number: u32| number.to_string();
        let chain: Vec<_> = (0..100_000)
            .map(|number| task(&name(number), &[&name(number + 1)], &[]))
            .chain([task(&name(100_000), &[], &[])])
            .collect();
        assert_eq!(cycle(&chain), None);
    }
}
