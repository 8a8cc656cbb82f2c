use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Names lead where the test says, one answer after the other; the last one stays.
struct Told(Mutex<VecDeque<Vec<IpAddr>>>, AtomicUsize);

impl Lookup for Told {
    fn lookup(&self, _name: &str) -> Looked {
        self.1.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.0.lock().expect("no test breaks here");
        let answer = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap_or_default(),
        };
        Box::pin(async move { Ok(answer) })
    }
}

fn told(answers: &[&[&str]]) -> Arc<Told> {
    let read = |all: &&[&str]| {
        all.iter()
            .map(|it| it.parse().expect("an address"))
            .collect()
    };
    let answers = answers.iter().map(read).collect();
    Arc::new(Told(Mutex::new(answers), AtomicUsize::new(0)))
}

/// A listener that only counts.
async fn canary(address: Ipv4Addr) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).await.expect("it is ours");
    let port = listener.local_addr().expect("it listens").port();
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    (port, heard)
}

#[tokio::test]
async fn no_spelling_of_a_machine_that_is_not_public_is_connected_to() {
    let (port, heard) = canary(Ipv4Addr::LOCALHOST).await;
    // Whatever is a name after all leads here.
    let egress = Egress::asking(told(&[&["127.0.0.1"]])).expect("there are certificates");
    let mut spellings: Vec<String> = HOSTS
        .iter()
        .flat_map(|host| {
            [
                format!("https://{host}:{port}/x"),
                format!("http://{host}:{port}/"),
            ]
        })
        .collect();
    spellings.extend(
        ADDRESSES
            .iter()
            .map(|it| it.replace("PORT", &port.to_string())),
    );
    assert!(spellings.len() >= 120, "{}", spellings.len());
    for spelling in &spellings {
        let Ok(to) = egress.destination(spelling) else {
            continue;
        };
        let asked = egress.get(&to).send().await;
        assert!(asked.is_err(), "{spelling} was asked");
    }
    assert_eq!(heard.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_name_with_one_bad_address_among_good_ones_is_not_connected_to() {
    for bad in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"] {
        for all in [[bad, "8.8.8.8"], ["8.8.8.8", bad]] {
            let lookup = told(&[&all]);
            let egress = Egress::asking(lookup.clone()).expect("there are certificates");
            let to = egress
                .destination("https://rebinds.offhook.dev/")
                .expect("a name");
            let fault = egress.get(&to).send().await.expect_err("one is not public");
            assert!(fault.is_connect(), "{fault:?}");
            assert_eq!(lookup.1.load(Ordering::Relaxed), 1);
        }
    }
}

#[tokio::test]
async fn names_that_change_their_mind_and_redirects_lead_nowhere_else() {
    // Here 127.0.0.1 is the public net, and 127.0.0.2 the machine beside us.
    let law = Law {
        scheme: "http",
        is_public: |it| it == IpAddr::from(Ipv4Addr::LOCALHOST),
    };
    let inside = Ipv4Addr::new(127, 0, 0, 2);
    let (secret, heard) = canary(inside).await;
    let outside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("it is ours");
    let port = outside.local_addr().expect("it listens").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = outside.accept().await {
            let mut asked = [0; 1_024];
            let _ = stream.read(&mut asked).await;
            let answer = format!(
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2:{secret}/\r\ncontent-length: 0\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let lookup = told(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let egress = Egress::under(law, lookup).expect("there are certificates");
    let to = egress
        .destination(&format!("http://flips.offhook.dev:{port}/"))
        .expect("a name");
    let answer = egress
        .get(&to)
        .send()
        .await
        .expect("it is public this time");
    assert_eq!(answer.status().as_u16(), 302, "and is not followed");
    let again = egress.destination(&format!("http://flips.offhook.dev:{secret}/"));
    let again = egress.get(&again.expect("a name")).send().await;
    assert!(again.is_err(), "it leads inside now");
    assert_eq!(heard.load(Ordering::Relaxed), 0);
}

#[test]
fn every_special_address_is_known_by_its_edges() {
    for inside in [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff::",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "4000::1",
    ] {
        assert!(!is_public(inside.parse().expect("an address")), "{inside}");
    }
    for outside in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2600::1",
        "2001:200::1",
        "2606:4700::1111",
    ] {
        assert!(is_public(outside.parse().expect("an address")), "{outside}");
    }
}

#[test]
fn an_address_is_not_told_in_full() {
    let egress = Egress::new().expect("there are certificates");
    let to = egress.destination("https://s3.amazonaws.com/b/1.wav?X-Amz-Signature=secret");
    let told = format!("{:?}", to.expect("it is public"));
    assert_eq!(told, "https://s3.amazonaws.com/•••");
    let fault = egress
        .destination("https://10.1.2.3/secret")
        .expect_err("it is a number");
    assert!(!format!("{fault:?}").contains("secret"));
}

/// As hosts, each with https and http.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "00000177.00000000.00000000.00000001",
    "0x7F.0x0.0x0.0x1",
    "127.0x1",
    "0",
    "0.0.0.0",
    "00.0.0.0",
    "0x0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "a.localhost",
    "x.local",
    "metadata.google.internal",
    "metadata",
    "router.lan",
    "127.0.0.1.nip.example",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "127。0。0。1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "10.0.0.1",
    "0x0a000001",
    "172.16.0.1",
    "192.168.1.1",
    "3232235777",
    "100.64.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.43518",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "rebinds.offhook.dev",
    "a.b.c.offhook.dev",
    "xn--localhost.com",
    "127.0.0.1.offhook.dev",
    "user@127.0.0.1",
    "8.8.8.8@127.0.0.1",
    "offhook.dev@127.0.0.1",
    "user:password@rebinds.offhook.dev",
];

/// As whole addresses.
const ADDRESSES: &[&str] = &[
    "https://offhook.dev#@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT#@offhook.dev/",
    "https://127.0.0.1:PORT\\@offhook.dev/",
    "https:127.0.0.1:PORT/",
    "https:/127.0.0.1:PORT/",
    "https:\\\\127.0.0.1:PORT/",
    "https://\t127.0.0.1:PORT/",
    "https://127.0.0\n.1:PORT/",
    " https://127.0.0.1:PORT/",
    "HTTPS://127.0.0.1:PORT/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:PORT/_x",
    "ftp://127.0.0.1:PORT/",
    "dict://127.0.0.1:PORT/",
    "ws://127.0.0.1:PORT/",
    "wss://127.0.0.1:PORT/",
    "data:text/plain,x",
    "javascript:x",
    "unix:/run/x.sock",
    "http+unix://%2frun%2fx/",
    "jar:https://127.0.0.1:PORT!/",
    "blob:https://127.0.0.1:PORT/x",
    "view-source:https://127.0.0.1:PORT/",
    "https://",
    "https:///",
    "",
    "https://:PORT/",
];
