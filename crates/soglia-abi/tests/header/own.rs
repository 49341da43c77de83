//! `include/soglia.h` against [`soglia_abi::hosting::own`].

use core::mem::offset_of;

use soglia_abi::hosting::own::{ISogliaSlots, ISogliaSlots_Vtbl, SogliaSlotFigures};
use windows_core::Interface;

use super::{
    POINTER, PRINT_GUID,
    compile::{Language, run},
    digits,
};

/// What a program says that includes the header, line by line.
fn said(language: Language, name: &str, lines: &str) -> Vec<String> {
    let source = format!(
        "#include <soglia.h>\n#include <stdio.h>\nint main(void) {{\n{lines}return 0;\n}}\n"
    );
    run(language, name, &source)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn layouts() {
    let (mut lines, mut krate) = (String::new(), Vec::new());
    macro_rules! fields {
        ($($field:ident)*) => {$(
            let field = stringify!($field);
            lines += &format!(
                "printf(\"{field} %zu %zu\\n\", offsetof(SogliaSlotFigures, {field}), sizeof(((SogliaSlotFigures *)0)->{field}));\n"
            );
            let size = size_of_val(&SogliaSlotFigures::default().$field);
            krate.push(format!("{field} {} {size}", offset_of!(SogliaSlotFigures, $field)));
        )*};
    }
    fields! { Slots Free Waiting Reserved Waits WaitedNs LongestNs TimedOut Lent Abandoned }
    lines += "printf(\"%zu\\n\", sizeof(SogliaSlotFigures));\n";
    krate.push(size_of::<SogliaSlotFigures>().to_string());
    for language in [Language::C, Language::Cpp] {
        assert_eq!(said(language, "own-layouts", &lines), krate);
    }
}

#[test]
fn interface() {
    let id = |expression: &str| {
        format!("{{ const GUID *id = &{expression}; printf(\"id\"); {PRINT_GUID}")
    };
    let expected = format!("id {}", digits(&ISogliaSlots::IID));
    let slots = "printf(\"%zu %zu\\n\", offsetof(ISogliaSlotsVtbl, GetFigures) / sizeof(void *), sizeof(ISogliaSlotsVtbl) / sizeof(void *));\n";
    let krate = format!(
        "{} {}",
        offset_of!(ISogliaSlots_Vtbl, GetFigures) / POINTER,
        size_of::<ISogliaSlots_Vtbl>() / POINTER
    );
    let lines = id("IID_ISogliaSlots") + slots;
    assert_eq!(
        said(Language::C, "own-interface", &lines),
        [expected.clone(), krate]
    );
    let lines = id("IID_ISogliaSlots") + &id("__uuidof(ISogliaSlots)");
    assert_eq!(
        said(Language::Cpp, "own-interface", &lines),
        [expected.clone(), expected]
    );
}

/// The functions are declared as they are exported, and macros fit.
#[test]
fn uses() {
    let use_it = "HRESULT (*make)(DWORD, DWORD, IHostTaskManager *, IHostTaskManager **) = 0;\n\
        HRESULT (*attach)(IHostTaskManager *) = 0;\n\
        HRESULT (*detach)(void) = 0;\n\
        LPCSTR (*text)(void) = 0;\n\
        HRESULT (*execute)(DWORD, LPCWSTR, LPCWSTR, LPCWSTR, LPCWSTR, DWORD *) = 0;\n\
        if (sizeof(make = &SogliaCreateTaskManager) && sizeof(attach = &SogliaAttachTaskManager)\n\
            && sizeof(detach = &SogliaDetachTaskManager) && sizeof(text = &SogliaGetLastErrorText)\n\
            && sizeof(execute = &SogliaExecuteInAppDomain))\n\
            printf(\"made\\n\");\n\
        (void)make; (void)attach; (void)detach; (void)text; (void)execute;\n";
    // Never linked: its address is not taken.
    let c = "ISogliaSlots *slots = 0; SogliaSlotFigures figures;\n\
        if (slots) { ISogliaSlots_GetFigures(slots, &figures); ISogliaSlots_Release(slots); }\n";
    let cpp = "ISogliaSlots *slots = nullptr; SogliaSlotFigures figures;\n\
        if (slots) { slots->GetFigures(&figures); slots->Release(); }\n";
    assert_eq!(
        said(Language::C, "own-uses", &(use_it.to_owned() + c)),
        ["made"]
    );
    assert_eq!(
        said(Language::Cpp, "own-uses", &(use_it.to_owned() + cpp)),
        ["made"]
    );
}
