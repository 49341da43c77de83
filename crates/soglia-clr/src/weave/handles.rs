//! Changes where CoreLib waits for events, semaphores, mutexes and pulses, and where it sets and
//! releases them ([`super::waits`]).

use soglia_abi::ids::MdToken;
use soglia_il::sig;

use super::fronts::{Front, Waits, Written, is_own};
use crate::{metadata::find, notify::waits::TABLE};

/// Instructions.
const LDARG_0: u8 = 0x02;
const LDNULL: u8 = 0x14;
const LDC_I4_0: u8 = 0x16;
const CALLVIRT: u8 = 0x6F;

const EVENT: &str = "System.Threading.EventWaitHandle";
const SEMAPHORE: &str = "System.Threading.Semaphore";
const MUTEX: &str = "System.Threading.Mutex";
const HANDLE: &str = "System.Threading.WaitHandle";
const LOCK: &str = "System.Threading.Lock";
const READERS: &str = "System.Threading.ReaderWriterLockSlim";

const SET: &[u8] = &[sig::THIS, 0, sig::BOOLEAN];
const RELEASE: &[u8] = &[sig::THIS, 1, sig::INT32, sig::INT32];
const RELEASE_MUTEX: &[u8] = &[sig::THIS, 0, sig::VOID];

const WAIT_ONE: &str = "WaitOneNoCheck";
const WAIT: &[u8] = &[sig::THIS, 1, sig::BOOLEAN, sig::INT32];
const WAIT_FOR: &[u8] = &[
    sig::THIS,
    4,
    sig::BOOLEAN,
    sig::INT32,
    sig::BOOLEAN,
    sig::OBJECT,
];

const MONITOR: &str = "System.Threading.Monitor";
const PULSE: &[u8] = &[0, 1, sig::VOID, sig::OBJECT];
const WAIT_PULSE: &[u8] = &[0, 2, sig::BOOLEAN, sig::OBJECT, sig::INT32];

impl Waits<'_, '_> {
    pub(super) fn pulses(&mut self) -> Written {
        let wait = self.method(MONITOR, "Wait", WAIT_PULSE)?;
        let pulse = self.method(MONITOR, "Pulse", PULSE)?;
        let pulse_all = self.method(MONITOR, "PulseAll", PULSE)?;
        for (method, number) in [(pulse, 0), (pulse_all, 1)] {
            let front = Front {
                guard: (&raw const TABLE.pulsed).expose_provenance(),
                number,
                ..Front::new(&TABLE.pulse)
            };
            self.front(method, front)?;
        }
        let front = Front {
            time: Some(1),
            returns: true,
            ..Front::new(&TABLE.wait_pulse)
        };
        self.front(wait, front)
    }

    pub(super) fn handles(&mut self) -> Written {
        let set = self.method(EVENT, "Set", SET)?;
        let release = self.method(SEMAPHORE, "ReleaseCore", RELEASE)?;
        let release_mutex = self.method(MUTEX, "ReleaseMutex", RELEASE_MUTEX)?;
        let (wait, has_lock) = self.wait_one()?;
        self.around(
            set,
            |waits, code| {
                let own = code.label();
                code.ldarg(0);
                code.ldnull();
                code.ldc_i4(0);
                waits.call(code, &TABLE.signal);
                is_own(code, own);
                code.ldc_i4(1);
                code.ret(true);
                code.place(own);
            },
            (&TABLE.signal, 1),
            true,
        )?;
        self.around(
            release,
            |waits, code| {
                let left = code.label();
                code.ldarg(0);
                code.ldnull();
                code.ldarg(1);
                waits.call(code, &TABLE.release);
                code.starg(1);
                code.ldarg(1);
                code.brtrue(left);
                code.ldc_i4(0);
                code.ret(true);
                code.place(left);
            },
            (&TABLE.wake, 0),
            true,
        )?;
        self.around(release_mutex, |_, _| {}, (&TABLE.wake, 0), false)?;
        let front = Front {
            other: has_lock.then_some(3),
            time: Some(1),
            skips_zero: true,
            unless: has_lock.then_some(2),
            returns: true,
            ..Front::new(&TABLE.wait_one)
        };
        self.front(wait, front)
    }

    /// `WaitOneNoCheck`, and whether it takes the object that is waited for.
    fn wait_one(&self) -> Result<(MdToken, bool), String> {
        let import = &self.emitter.import;
        let found = find::class(import, HANDLE).map(|of| find::methods(import, of, WAIT_ONE));
        match found.unwrap_or_default()[..] {
            [(method, ref signature)] if signature == WAIT => Ok((method, false)),
            [(method, ref signature)] if signature.starts_with(WAIT_FOR) => Ok((method, true)),
            _ => Err(format!("System.Private.CoreLib has another {WAIT_ONE}")),
        }
    }

    /// Has a `Lock` say whose event it waits for. .NET has a parameter for that, and passes null.
    pub(super) fn locks(&mut self) -> Written {
        let import = &self.emitter.import;
        let Some(lock) = find::class(import, LOCK) else {
            // .NET 8 has none.
            return Ok(());
        };
        let (wait, _) = self.wait_one()?;
        let odd = || "its code is of an unknown shape".to_owned();
        let methods = find::methods(import, lock, "TryEnterSlow");
        let [(method, _)] = methods[..] else {
            return Err(odd());
        };
        let mut body = self.emitter.body(method).ok_or_else(odd)?.to_vec();
        let mut call = vec![LDNULL, LDC_I4_0, CALLVIRT];
        call.extend(wait.0.to_le_bytes());
        let found = |at: &usize| body[*at..].starts_with(&call);
        let places: Vec<usize> = (0..body.len()).filter(found).collect();
        let [at] = places[..] else {
            return Err(odd());
        };
        body[at] = LDARG_0;
        let set = self.emitter.set_body(method, &body);
        set.map_err(|why| why.to_string())?;
        self.changed.insert(method.row());
        Ok(())
    }

    /// Has a `ReaderWriterLockSlim` say whose event it is about to wait for.
    pub(super) fn readers_and_writers(&mut self) -> Written {
        let import = &self.emitter.import;
        let found = find::class(import, READERS).map(|of| find::methods(import, of, "WaitOnEvent"));
        let [(method, ref signature)] = found.unwrap_or_default()[..] else {
            return Err("System.Private.CoreLib has another one than expected".to_owned());
        };
        // The event, a counter, a time, and what is waited for.
        if !signature.starts_with(&[sig::THIS, 4, sig::BOOLEAN, sig::CLASS]) {
            return Err("it waits in another way than expected".to_owned());
        }
        let front = Front {
            other: Some(1),
            time: Some(4),
            returns: true,
            ..Front::new(&TABLE.note)
        };
        self.front(method, front)
    }
}
