//! No test passes without a check.
//!
//! A test that returns early is counted as passed. A test that needs what a machine may lack says
//! so by `soglia_testing::needs`, and is counted as skipped.

use std::path::Path;

use soglia_tree::files;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprClosure, ExprReturn, ItemFn, Meta, ReturnType, Stmt};

/// What one file does wrong, by function.
#[derive(Default)]
struct Found {
    tests: usize,
    faults: Vec<String>,
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        let name = &function.sig.ident;
        let has = |word: &str| {
            let mut attributes = function.attrs.iter();
            attributes.any(|attribute| attribute.path().is_ident(word))
        };
        let is_test = has("test");
        if is_test || is_outcome(&function.sig.output) {
            self.tests += 1;
            let mut returns = Returns::default();
            returns.visit_block(&function.block);
            if returns.0 {
                self.faults.push(format!("{name} returns early"));
            }
            if let [Stmt::Expr(Expr::If(only), _)] = &function.block.stmts[..]
                && only.else_branch.is_none()
            {
                self.faults.push(format!("{name} may check nothing"));
            }
        }
        if function.attrs.iter().any(is_ignored_without_reason) {
            self.faults
                .push(format!("{name} is ignored without a reason"));
        }
        visit::visit_item_fn(self, function);
    }
}

/// Whether a function returns early with success, apart from its closures and inner functions.
#[derive(Default)]
struct Returns(bool);

impl<'ast> Visit<'ast> for Returns {
    fn visit_expr_return(&mut self, found: &'ast ExprReturn) {
        self.0 |= match found.expr.as_deref() {
            // An unmet need.
            Some(Expr::Call(call)) => !is_named(&call.func, "Err"),
            _ => true,
        };
    }

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_item_fn(&mut self, _: &'ast ItemFn) {}
}

fn is_named(expression: &Expr, name: &str) -> bool {
    matches!(expression, Expr::Path(path) if path.path.is_ident(name))
}

/// Whether this is the result of a test that may find a need unmet.
fn is_outcome(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, of)
        if matches!(&**of, syn::Type::Path(path) if path.path.is_ident("Outcome")))
}

fn is_ignored_without_reason(attribute: &Attribute) -> bool {
    attribute.path().is_ident("ignore") && matches!(attribute.meta, Meta::Path(_))
}

/// How many tests the tree has, and what is wrong with them.
fn look(root: &Path) -> (usize, Vec<String>) {
    let mut tests = 0;
    let mut faults = Vec::new();
    for file in files::all(root) {
        if !files::has_extension(&file, &["rs"]) {
            continue;
        }
        let Some(text) = files::text(root, &file) else {
            continue;
        };
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let mut found = Found::default();
        found.visit_file(&parsed);
        tests += found.tests;
        let at = file.display();
        faults.extend(found.faults.iter().map(|fault| format!("{at}: {fault}")));
    }
    (tests, faults)
}

#[test]
fn no_test_passes_without_a_check() {
    let (tests, faults) = look(&files::root());
    assert!(tests > 300, "{tests} tests were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn planted_skips_are_found() {
    let tree = tempfile::tempdir().unwrap();
    let planted = r#"
        #[test] fn good() { let f = || return; assert_eq!(f(), ()); }
        fn helper() { if true { return; } }
        #[test] fn early() { let Some(x) = None::<u8> else { return }; assert_eq!(x, 1); }
        #[test] fn says_so() { if missing() { return skip("no X"); } assert!(true); }
        #[test] fn only_if() { if let Some(x) = find() { assert_eq!(x, 1); } }
        #[test] #[ignore] fn ignored() { assert!(true); }
        #[test] #[ignore = "for its reason"] fn reasonable() { assert!(true); }
        fn needs() -> Outcome { if missing() { return Err(Unmet::new("no X")); } Ok(()) }
        fn hides() -> Outcome { if missing() { return Ok(()); } Ok(()) }
        mod inner { #[test] fn early() { loop { return; } } }
    "#;
    std::fs::write(tree.path().join("a.rs"), planted).unwrap();
    let (tests, faults) = look(tree.path());
    assert_eq!(tests, 9);
    let expected = [
        "a.rs: early returns early",
        "a.rs: says_so returns early",
        "a.rs: only_if may check nothing",
        "a.rs: ignored is ignored without a reason",
        "a.rs: hides returns early",
        "a.rs: early returns early",
    ];
    assert_eq!(faults, expected);
}
