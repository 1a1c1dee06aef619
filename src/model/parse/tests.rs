//! What users may type in both syntaxes, and where an error points.

use expect_test::expect;

use super::*;
use crate::model::display::Style;

/// Reads `text` in one syntax and shows it in both.
fn show(text: &str, syntax: Syntax) -> String {
    match Term::parse(text, syntax) {
        Ok(term) => format!("{}   {}\n", term.display(Style::erlang()), term.display(Style::elixir())),
        Err(error) => format!("{error}\n"),
    }
}

#[test]
fn erlang_terms() {
    let texts = [
        "ok.",
        " { 'Hello World' , [1,2|x] , #{a=>1.5e3, {} => []} } ",
        r#"<<"ab", 255, 3:2>>"#,
        r#"<<"ż"/utf8>>"#,
        r#""h\x{17c}\n""#,
        "-16#FF",
        "1_000_000_000_000_000_000_000",
        "$a",
        "fun lists:map/2",
        "[<0.12.3>,#Ref<0.4.3.2.1>,#Port<0.9>]",
    ];
    expect![[r#"
        ok   :ok
        {'Hello World',[1,2|x],#{a => 1.5e3,{} => []}}   {:"Hello World", [1, 2 | :x], %{:a => 1.5e3, {} => []}}
        <<97,98,255,3:2>>   <<97, 98, 255, 3::size(2)>>
        <<"ż"/utf8>>   "ż"
        [104,380,10]   [104, 380, 10]
        -255   -255
        1000000000000000000000   1000000000000000000000
        97   97
        fun lists:map/2   &:lists.map/2
        [<0.12.3>,#Ref<0.4.3.2.1>,#Port<0.9>]   [#PID<0.12.3>, #Reference<0.4.3.2.1>, #Port<0.9>]
    "#]]
    .assert_eq(&texts.map(|text| show(text, Syntax::Erlang)).concat());
}

#[test]
fn elixir_terms() {
    let texts = [
        r#"{:ok, nil, Shop.Cart, :"odd name", :valid?}"#,
        r#"%{"k" => 1, a: [x: 1, "y z": 2]}"#,
        "%Point{x: 1, y: 0x1F}",
        r#"[~c"hi", 'hi', "text \u{17c} \#{x}", <<1, 2::size(3)>>]"#,
        "[&Enum.map/2, &:lists.map/2, #PID<0.1.0>, ?a]",
    ];
    expect![[r#"
        {ok,nil,'Elixir.Shop.Cart','odd name','valid?'}   {:ok, nil, Shop.Cart, :"odd name", :valid?}
        #{a => [{x,1},{'y z',2}],<<"k">> => 1}   %{:a => [x: 1, "y z": 2], "k" => 1}
        #{'__struct__' => 'Elixir.Point',x => 1,y => 31}   %Point{x: 1, y: 31}
        ["hi","hi",<<"text ż #{x}"/utf8>>,<<1,2:3>>]   [~c"hi", ~c"hi", "text ż \#{x}", <<1, 2::size(3)>>]
        [fun 'Elixir.Enum':map/2,fun lists:map/2,<0.1.0>,97]   [&Enum.map/2, &:lists.map/2, #PID<0.1.0>, 97]
    "#]]
    .assert_eq(&texts.map(|text| show(text, Syntax::Elixir)).concat());
}

#[test]
fn errors_name_the_column() {
    let texts = ["", "{a, b", "{a b}", "X", "#{a = 1}", "'open", "<0.1>", "<<300>>", "ok ok", "1.0e999"];
    expect![[r#"
        expected a term, found the end at column 1
        expected , or } at column 6
        expected , or } at column 4
        a variable is not a term at column 1
        expected => at column 5
        no closing ' at column 1
        a pid is <0.N.N> at column 1
        expected a byte (0 to 255) or text at column 3
        expected the end at column 4
        not a float at column 1
    "#]]
    .assert_eq(&texts.map(|text| show(text, Syntax::Erlang)).concat());
    expect!["expected a term; an atom begins with a colon at column 2\n"].assert_eq(&show("{ok}", Syntax::Elixir));
    let deep = "[".repeat(100_000);
    expect!["limit TERM_DEPTH_MAX (256): nest the term less at column 257\n"].assert_eq(&show(&deep, Syntax::Erlang));
}
