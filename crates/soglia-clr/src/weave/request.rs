//! The method that finds out what a thread is working on.
//!
//! Each module with wrappers that hand over arguments gets it, and a method that finds the code of
//! another one:
//!
//! ```text
//!   void soglia$request() {                        nint soglia$code(nint* of) {
//!       if (!asking(0)) return                         if (of[1] == 0)
//!       give(Thread.CurrentThread.Name)                    of[1] = RuntimeMethodHandle
//!       if (!asking(1)) return                                 .FromIntPtr(of[0])
//!       activity = CURRENT()                                   .GetFunctionPointer()
//!       if (activity == null) return                   return of[1]
//!       give(activity.ID())                        }
//!       give(activity.NAME())
//!       if (!asking(2)) return
//!       do {
//!           found = activity.TAG("http.route") as string
//!           found = found ?? activity.TAG("url.path") as string
//!           route = found ?? route
//!           activity = activity.PARENT()
//!       } while (activity != null && left-- > 0)
//!       give(route)
//!   }
//! ```
//!
//! Names in capitals are calls by function pointer. The runtime's number of a method, which the
//! engine knows, is the value of its handle.

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{mdHideBySig, mdPublic, mdStatic},
};
use soglia_il::{
    asm::Code,
    sig::{self, THIS},
};

use super::{
    arguments::{Giving, OBJECT},
    emit::{Emitter, NewMethod},
    weaver::{NO_INLINING, Weaver},
};
use crate::{
    arguments::request::{ACTIVITY, ACTIVITY_ID, CODE, Method, ROUTE, THREAD_NAME, place},
    metadata::before::Error,
    source::woven,
};

/// The local variables behind those that giving values needs.
const CURRENT: u16 = 2;
const FOUND: u16 = 3;
const BEST: u16 = 4;
const LEFT: u16 = 5;

/// How many activities are asked for a route: the current one, the one around it and so on.
const MOST_ACTIVITIES: i32 = 100;

/// Where activities of requests have the route, and if they have none, the path.
const TAGS: [&str; 2] = ["http.route", "url.path"];

/// How the methods are called.
struct Calls {
    code: MdToken,
    current: MdToken,
    text: MdToken,
    object: MdToken,
    tag: MdToken,
}

impl Calls {
    fn new(emitter: &mut Emitter, code: MdToken) -> Result<Self, Error> {
        let object = sig::OBJECT;
        Ok(Self {
            code,
            current: emitter.stand_alone(&[0, 0, object])?,
            text: emitter.stand_alone(&[THIS, 0, sig::STRING])?,
            object: emitter.stand_alone(&[THIS, 0, object])?,
            tag: emitter.stand_alone(&[THIS, 1, object, sig::STRING])?,
        })
    }

    /// Calls a method whose arguments are on the stack.
    fn call(&self, to: &mut Code, of: Method) {
        let (signature, args) = match of {
            Method::Current => (self.current, 0),
            Method::Id | Method::Name => (self.text, 1),
            Method::Parent => (self.object, 1),
            Method::Tag => (self.tag, 2),
        };
        to.ldc_i8(place(of));
        to.conv_i();
        to.call(self.code, 1, true);
        to.calli(signature, args, true);
    }
}

impl Weaver<'_> {
    /// The method of this module. `None`: it cannot be made here.
    pub(super) fn request(&mut self, giving: &Giving) -> Option<MdToken> {
        if self.request.is_none() {
            self.request = Some(self.new_request(giving).ok());
        }
        self.request.flatten()
    }

    fn new_request(&mut self, giving: &Giving) -> Result<MdToken, Error> {
        let code = self.code_of_methods()?;
        let asking = self.hooks.slow(woven::request_asking);
        let emitter = &mut self.emitter;
        let calls = Calls::new(emitter, code)?;
        let string = emitter.type_of_corelib("System.String")?;
        let (thread, name) = thread_name(emitter)?;
        let mut tags = [MdToken::default(); 2];
        for (token, tag) in tags.iter_mut().zip(TAGS) {
            *token = emitter.user_string(tag)?;
        }
        let mut to = Code::new();
        let (done, next, again) = (to.label(), to.label(), to.label());
        to.hook_with(0, asking);
        to.brfalse(done);
        giving.text(&mut to, THREAD_NAME, |to| {
            to.call(thread, 0, true);
            to.call(name, 1, true);
        });
        to.hook_with(1, asking);
        to.brfalse(done);
        calls.call(&mut to, Method::Current);
        to.stloc(CURRENT);
        to.ldloc(CURRENT);
        to.brfalse(done);
        for (index, method) in [(ACTIVITY_ID, Method::Id), (ACTIVITY, Method::Name)] {
            giving.text(&mut to, index, |to| {
                to.ldloc(CURRENT);
                calls.call(to, method);
            });
        }
        to.hook_with(2, asking);
        to.brfalse(done);
        to.ldc_i4(MOST_ACTIVITIES);
        to.stloc(LEFT);
        to.place(again);
        let found = to.label();
        for tag in tags {
            to.ldloc(CURRENT);
            to.ldstr(tag);
            calls.call(&mut to, Method::Tag);
            to.isinst(string);
            to.stloc(FOUND);
            to.ldloc(FOUND);
            to.brtrue(found);
        }
        to.br(next);
        to.place(found);
        to.ldloc(FOUND);
        to.stloc(BEST);
        to.place(next);
        to.ldloc(CURRENT);
        calls.call(&mut to, Method::Parent);
        to.stloc(CURRENT);
        let over = to.label();
        to.ldloc(CURRENT);
        to.brfalse(over);
        to.ldloc(LEFT);
        to.ldc_i4(1);
        to.sub();
        to.stloc(LEFT);
        to.ldloc(LEFT);
        to.brtrue(again);
        to.place(over);
        giving.text(&mut to, ROUTE, |to| to.ldloc(BEST));
        to.place(done);
        to.ret(false);
        let object: &[u8] = &[sig::OBJECT];
        let string: &[u8] = &[sig::STRING];
        let of_giving = Giving::locals();
        let of_giving = of_giving.iter().copied();
        let locals: Vec<&[u8]> = of_giving
            .chain([object, string, string, &[sig::INT32]])
            .collect();
        debug_assert!(locals.len() == usize::from(LEFT) + 1 && OBJECT < CURRENT);
        let locals = emitter.locals(&locals)?;
        let body = to.finish(locals).ok_or(Error::UNWRITABLE)?;
        self.added("soglia$request", &[0, 0, sig::VOID], &body)
    }

    /// The method that finds the code of another one.
    fn code_of_methods(&mut self) -> Result<MdToken, Error> {
        const HANDLE: &str = "System.RuntimeMethodHandle";
        let emitter = &mut self.emitter;
        let mut handle = vec![sig::VALUE_TYPE];
        let class = emitter.type_of_corelib(HANDLE)?;
        sig::put_type(&mut handle, class).ok_or(Error::UNWRITABLE)?;
        let from = [&[0, 1], &handle[..], &[sig::NATIVE_INT]].concat();
        let from = emitter.method_of_corelib(HANDLE, "FromIntPtr", &from)?;
        let pointer = [THIS, 0, sig::NATIVE_INT];
        let pointer = emitter.method_of_corelib(HANDLE, "GetFunctionPointer", &pointer)?;
        let mut to = Code::new();
        let known = to.label();
        let place = |to: &mut Code| {
            to.ldarg(0);
            to.ldc_i4(CODE);
            to.add();
        };
        place(&mut to);
        to.ldind_i();
        to.brtrue(known);
        place(&mut to);
        to.ldarg(0);
        to.ldind_i();
        to.call(from, 1, true);
        to.stloc(0);
        to.ldloca(0);
        to.call(pointer, 1, true);
        to.stind_i();
        to.place(known);
        place(&mut to);
        to.ldind_i();
        to.ret(true);
        let locals = emitter.locals(&[&handle])?;
        let body = to.finish(locals).ok_or(Error::UNWRITABLE)?;
        let signature = [0, 1, sig::NATIVE_INT, sig::NATIVE_INT];
        self.added("soglia$code", &signature, &body)
    }

    /// Adds a method that no other method is inlined into.
    fn added(&mut self, name: &str, signature: &[u8], body: &[u8]) -> Result<MdToken, Error> {
        let class = self.emitter.apart()?;
        let method = self.emitter.define(&NewMethod {
            class,
            name: &name.encode_utf16().collect::<Vec<_>>(),
            flags: mdPublic | mdStatic | mdHideBySig,
            impl_flags: NO_INLINING,
            signature,
            rva: self.emitter.any_rva,
        })?;
        self.emitter.set_body(method, body)?;
        self.apart.push(method);
        Ok(method)
    }
}

/// `Thread.CurrentThread` and `Thread.Name`.
fn thread_name(emitter: &mut Emitter) -> Result<(MdToken, MdToken), Error> {
    const THREAD: &str = "System.Threading.Thread";
    let mut signature = vec![0, 0, sig::CLASS];
    let class = emitter.type_of_corelib(THREAD)?;
    sig::put_type(&mut signature, class).ok_or(Error::UNWRITABLE)?;
    let current = emitter.method_of_corelib(THREAD, "get_CurrentThread", &signature)?;
    let name = [THIS, 0, sig::STRING];
    let name = emitter.method_of_corelib(THREAD, "get_Name", &name)?;
    Ok((current, name))
}
