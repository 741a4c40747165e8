use std::collections::BTreeSet;

use clap::CommandFactory;

use super::*;
use crate::cli::Cli;

/// Each command with each of its arguments, by path.
fn visit(command: &Command, path: &[&str], see: &mut impl FnMut(&[&str], &Command, &Arg)) {
    command.get_arguments().for_each(|arg| see(path, command, arg));
    command.get_subcommands().for_each(|below| visit(below, &[path, &[below.get_name()]].concat(), see));
}

#[test]
fn one_variable_never_means_two_things() {
    let mut meanings = BTreeSet::new();
    visit(&with_variables(Cli::command()), &[], &mut |path, _, arg| {
        let Some(variable) = arg.get_env() else { return };
        let takes = arg.get_value_names().map(|names| names.join(" "));
        meanings.insert((variable.to_owned(), takes, arg.get_long().map(str::to_owned)));
        assert_ne!(variable, paths::CONFIG_VARIABLE, "{path:?}");
    });
    let variables: BTreeSet<_> = meanings.iter().map(|(variable, ..)| variable).collect();
    assert_eq!(variables.len(), meanings.len(), "{meanings:#?}");
}

#[test]
fn what_excludes_another_flag_is_for_this_time_only() {
    visit(&with_variables(Cli::command()), &[], &mut |path, command, arg| {
        for other in command.get_arg_conflicts_with(arg) {
            for one in [arg, other] {
                assert_eq!(name_of(command.get_name(), one), None, "{path:?}: a variable would exclude the other flag");
            }
        }
    });
}

#[test]
fn whatever_can_be_set_has_a_variable() {
    let mut count = 0;
    visit(&with_variables(Cli::command()), &[], &mut |path, command, arg| {
        let named = name_of(command.get_name(), arg).is_some();
        assert!(!named || arg.get_env().is_some(), "{path:?} {arg}");
        count += usize::from(named);
    });
    assert!(count > 20, "{count}");
}
