//! The IID of every profiling interface and the IDs of classes, against numbers written down from
//! the IDL and the hosting sheet. Those of the hosting interfaces are in `common/hosting.rs`, which
//! `vtable_hosting` tests.

use soglia_abi::hosting::{metahost::*, runtime_host::*};
use soglia_abi::profiler::{
    callback::*, factory::*, info::*, info_later::*, metadata::*, metadata_assembly::*,
    metadata_emit::*,
};
use windows_core::{GUID, IUnknown, Interface};

/// The 32 hexadecimal digits of a printed GUID, in four groups.
macro_rules! iids {
    ($($name:ident $value:literal;)*) => {
        &[$((stringify!($name), $name::IID, $value)),*]
    };
}

#[rustfmt::skip]
const IIDS: &[(&str, GUID, u128)] = iids! {
    IUnknown                  0x00000000_0000_0000_C000_000000000046;
    IClassFactory             0x00000001_0000_0000_C000_000000000046;

    ICorProfilerCallback      0x176FBED1_A55C_4796_98CA_A9DA0EF883E7;
    ICorProfilerCallback2     0x8A8CC829_CCF2_49FE_BBAE_0F022228071A;
    ICorProfilerCallback3     0x4FD2ED52_7731_4B8D_9469_03D2CC3086C5;
    ICorProfilerCallback4     0x7B63B2E3_107D_4D48_B2F6_F61E229470D2;
    ICorProfilerCallback5     0x8DFBA405_8C9F_45F8_BFFA_83B14CEF78B5;
    ICorProfilerCallback6     0xFC13DF4B_4448_4F4F_950C_BA8D19D00C36;
    ICorProfilerCallback7     0xF76A2DBA_1D52_4539_866C_2AA518F9EFC3;
    ICorProfilerCallback8     0x5BED9B15_C079_4D47_BFE2_215A140C07E0;
    ICorProfilerCallback9     0x27583EC3_C8F5_482F_8052_194B8CE4705A;
    ICorProfilerCallback10    0xCEC5B60E_C69C_495F_87F6_84D28EE16FFB;
    ICorProfilerCallback11    0x42350846_AAED_47F7_B128_FD0C98881CDE;

    ICorProfilerInfo          0x28B5557D_3F3F_48B4_90B2_5F9EEA2F6C48;
    ICorProfilerInfo2         0xCC0935CD_A518_487D_B0BB_A93214E65478;
    ICorProfilerInfo3         0xB555ED4F_452A_4E54_8B39_B5360BAD32A0;
    ICorProfilerInfo4         0x0D8FDCAA_6257_47BF_B1BF_94DAC88466EE;
    ICorProfilerInfo5         0x07602928_CE38_4B83_81E7_74ADAF781214;
    ICorProfilerInfo6         0xF30A070D_BFFB_46A7_B1D8_8781EF7B698A;
    ICorProfilerInfo7         0x9AEECC0D_63E0_4187_8C00_E312F503F663;
    ICorProfilerInfo8         0xC5AC80A6_782E_4716_8044_39598C60CFBF;
    ICorProfilerInfo9         0x008170DB_F8CC_4796_9A51_DC8AA0B47012;
    ICorProfilerInfo10        0x2F1B5152_C869_40C9_AA5F_3ABE026BD720;
    ICorProfilerInfo11        0x06398876_8987_4154_B621_40A00D6E4D04;
    ICorProfilerInfo12        0x27B24CCD_1CB1_47C5_96EE_98190DC30959;
    ICorProfilerInfo13        0x6E6C7EE2_0701_4EC2_9D29_2E8733B66934;
    ICorProfilerInfo14        0xF460E352_D76D_4FE9_835F_F6AF9D6E862D;
    ICorProfilerInfo15        0xB446462D_BD22_41DD_872D_DC714C49EB56;

    ICorProfilerObjectEnum    0x2C6269BD_2D13_4321_AE12_6686365FD6AF;
    ICorProfilerFunctionEnum  0xFF71301A_B994_429D_A10B_B345A65280EF;
    ICorProfilerModuleEnum    0xB0266D75_2081_4493_AF7F_028BA34DB891;
    ICorProfilerMethodEnum    0xFCCEE788_0088_454B_A811_C99F298D1942;
    ICorProfilerThreadEnum    0x571194F7_25ED_419F_AA8B_7016B3159701;
    ICorProfilerFunctionControl 0xF0963021_E1EA_4732_8581_E01B0BD3C0C6;
    ICorProfilerAssemblyReferenceProvider 0x66A78C24_2EEF_4F65_B45F_DD1D8038BF3C;
    IMethodMalloc             0xA0EFB28B_6EE2_4D7B_B983_A75EF7BEEDB8;

    IMetaDataImport           0x7DAC8207_D3AE_4C75_9B67_92801A497D44;
    IMetaDataImport2          0xFCE5EFA0_8BBA_4F8E_A036_8F2022B08466;
    IMetaDataEmit             0xBA3FEE4C_ECB9_4E41_83B7_183FA41CD859;
    IMetaDataEmit2            0xF5DD9950_F693_42E6_830E_7B833E8146A9;
    IMetaDataAssemblyEmit     0x211EF15B_5317_4438_B196_DEC87B887693;
    IMetaDataAssemblyImport   0xEE62470B_E94B_424E_9B7C_2F00C9249F93;
};

#[test]
fn every_iid() {
    for (name, iid, value) in IIDS {
        assert_eq!(iid.to_u128(), *value, "{name} is {iid:?}");
    }
}

#[test]
fn no_iid_twice() {
    let mut values: Vec<u128> = IIDS.iter().map(|(_, iid, _)| iid.to_u128()).collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), IIDS.len());
}

/// The bytes as the CLR sees them: three numbers in native order, then eight bytes.
#[test]
fn in_memory() {
    let iid = ICorProfilerInfo::IID;
    assert_eq!(
        (iid.data1, iid.data2, iid.data3),
        (0x28B5557D, 0x3F3F, 0x48B4)
    );
    assert_eq!(iid.data4, [0x90, 0xB2, 0x5F, 0x9E, 0xEA, 0x2F, 0x6C, 0x48]);
    assert_eq!(size_of::<GUID>(), 16);
    assert_eq!(align_of::<GUID>(), 4);
}

#[test]
fn class_ids() {
    #[rustfmt::skip]
    let ids = [
        (CLSID_CLRRuntimeHost, 0x90F1A06E_7712_4762_86B5_7A5EBA6BDB02),
        (CLSID_CorRuntimeHost, 0xCB2F6723_AB3A_11D2_9C40_00C04FA30A3E),
        (IID_ICorRuntimeHost, 0xCB2F6722_AB3A_11D2_9C40_00C04FA30A3E),
        (CLSID_CLRMetaHost, 0x9280188D_0E8E_4867_B30C_7FA83884E8DE),
        (CLSID_CLRMetaHostPolicy, 0x2EBCD49A_1B47_4A61_B13A_4A03701E594B),
        (CLSID_CLRDebugging, 0xBACC578D_FBDD_48A4_969F_02D932B74634),
        (CLSID_CLRDebuggingLegacy, 0xDF8395B5_A4BA_450B_A77C_A9A47762C520),
        (CLSID_CLRProfiling, 0xBD097ED8_733E_43FE_8ED7_A95FF9A8448C),
        (CLSID_CLRStrongName, 0xB79B0ACD_F5CD_409B_B5A5_A16244610B92),
        (CLSID_TypeNameFactory, 0xB81FF171_20F3_11D2_8DCC_00A0C9B00525),
        (LIBID_mscoree, 0x5477469E_83B1_11D2_8B49_00A0C9B7C9C4),
        (IID_ICLRDebugging, 0xD28F3C5A_9634_4206_A509_477552EEFB10),
        (IID_ICLRProfiling, 0xB349ABE3_B56F_4689_BFCD_76BF39D888EA),
    ];
    for (id, value) in ids {
        assert_eq!(id.to_u128(), value, "{id:?}");
    }
    assert_ne!(
        CLSID_CLRRuntimeHost,
        ICLRRuntimeHost::IID,
        "one digit apart"
    );
}
